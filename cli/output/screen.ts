import { styleText } from 'node:util'
import type { Invocation } from '../action.ts'

export type Paint = 'red' | 'green' | 'yellow' | 'cyan' | 'dim' | 'bold'

/** What text for a person depends on. */
export interface Screen {
  readonly now: Date
  /** Columns; undefined off a terminal, where nothing is cut so that nothing is lost to grep. */
  readonly width: number | undefined
  /** More columns, nothing cut. */
  readonly isWide: boolean
  paint(style: Paint, text: string): string
}

export function createScreen({ host, options }: Invocation): Screen {
  const { stdout, env } = host
  const isWide = options.output === 'wide'
  const columns = stdout.isTTY ? (stdout.columns ?? 80) : undefined
  const isColoured =
    stdout.isTTY === true && options.color && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
  return {
    now: host.clock.now(),
    width: isWide ? undefined : columns,
    isWide,
    paint: (style, text) => (isColoured ? styleText(style, text, { validateStream: false }) : text),
  }
}
