import type { Handler } from './handler.ts'
import { durationMsOf } from './payload.ts'

/** Waits. Payload: `durationMs` (a number) or `duration` (such as "1.5s"). */
export const sleep: Handler = async (context) => {
  await context.sleep(durationMsOf(context.payload))
  return undefined
}
