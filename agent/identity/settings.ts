/** What joining stores beside the key and the certificate. */
import { readFileSync } from 'node:fs'

export interface AgentSettings {
  /** `host:port`, several comma-separated. */
  readonly coordinator: string
  readonly worker: string
}

/** Undefined when the agent has not joined, or the file is damaged. */
export function readSettings(file: string): AgentSettings | undefined {
  try {
    const settings: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return isSettings(settings) ? settings : undefined
  } catch {
    return undefined
  }
}

function isSettings(value: unknown): value is AgentSettings {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof Reflect.get(value, 'coordinator') === 'string' &&
    typeof Reflect.get(value, 'worker') === 'string'
  )
}
