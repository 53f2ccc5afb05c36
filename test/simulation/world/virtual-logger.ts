/** Where the product's log lines go: into the trace, when there is one. */
import type { Logger } from '../../../shared/logger.ts'
import type { World } from './world.ts'

export function createVirtualLogger(world: World, who: string): Logger {
  const write = (level: string) => (fields: unknown, message?: string) => {
    world.note(who, () => `${level}: ${message ?? ''} ${shown(fields)}`)
  }
  const logger = {
    trace: () => {},
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    fatal: write('fatal'),
  }
  return logger as unknown as Logger
}

function shown(fields: unknown): string {
  const text = JSON.stringify(fields, (_key, value: unknown) => {
    if (value instanceof Error) return `${value.name}: ${value.message}`
    return typeof value === 'bigint' ? String(value) : value
  })
  return (text ?? '').slice(0, 400)
}
