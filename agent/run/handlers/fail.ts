import type { Handler } from './handler.ts'
import { numberOf, textOf } from './payload.ts'

/** Fails. Payload: `message` (a text; default "failed as asked"), `exitCode` (0 to 255; default 1). */
export const fail: Handler = async ({ payload }) => {
  const exitCode = payload['exitCode'] === undefined ? 1 : numberOf(payload, 'exitCode', [0, 255])
  throw Object.assign(new Error(textOf(payload, 'message', 'failed as asked')), { exitCode })
}
