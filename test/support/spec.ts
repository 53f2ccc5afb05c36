/** Specs of jobs as tests write them: the contract's JSON. */

/** A job of one command line. */
export function shell(command: string, rest: object = {}): object {
  return { task: { shell: { command } }, ...rest }
}

/** A job of one handler of the agent. */
export function handler(name: string, payload: object = {}, rest: object = {}): object {
  return { task: { handler: { handler: name, payload } }, ...rest }
}

/** A schedule of one recurrence, e.g. `{ cron: '@daily' }`. */
export function schedule(recurrence: object, rest: object = {}): object {
  return { schedule: { recurrences: [recurrence], ...rest } }
}

/** Retries after a fixed delay; 0 s is the same as no delay given, so it begins at 1 ms. */
export function retries(maxRetries: number, delay = '0.001s', rest: object = {}): object {
  return { retry: { kind: 'KIND_FIXED', maxRetries, delay: seconds(delay), ...rest } }
}

/** ts-proto writes a duration as its fields. */
export function seconds(text: string): { seconds: string; nanos: number } {
  const value = Number(text.replace('s', ''))
  const whole = Math.trunc(value)
  return { seconds: String(whole), nanos: Math.round((value - whole) * 1e9) }
}
