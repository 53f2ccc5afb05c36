import type { Handler } from './handler.ts'

/** Does nothing, successfully. No payload. */
export const noop: Handler = async () => undefined
