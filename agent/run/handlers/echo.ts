import type { Handler } from './handler.ts'

/** Gives its payload back as outputs, and logs it. Payload: any object. */
export const echo: Handler = async ({ payload, log }) => {
  log(`${JSON.stringify(payload)}\n`)
  return payload
}
