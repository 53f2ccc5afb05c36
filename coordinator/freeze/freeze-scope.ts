/** Which jobs a freeze is about. Pure. */
import { assert } from '../../shared/assert.ts'
import { matchesSelector, parseSelector, type Selector } from '../job/selector.ts'

export interface FreezeScope {
  /** Both blank: all jobs. */
  readonly job_prefix: string
  readonly selector: string
}

export interface FrozenJob {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

export function isInScope({ job_prefix, selector }: FreezeScope, job: FrozenJob): boolean {
  if (!job.name.startsWith(job_prefix)) return false
  return selector === '' || matchesSelector(read(selector), job.labels)
}

function read(text: string): Selector {
  const reading = parseSelector(text)
  assert(reading.kind === 'ok', 'a selector that was stored can be read')
  return reading.selector
}
