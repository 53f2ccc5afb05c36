/** A function that an agent runs by name. */
import type { Outputs } from '../task-end.ts'

export interface HandlerContext {
  readonly payload: Readonly<Record<string, unknown>>
  readonly parameters: Readonly<Record<string, unknown>>
  /** Aborts when the attempt must end; a handler that goes on is abandoned after the kill grace. */
  readonly signal: AbortSignal
  /** Writes to the output of the attempt. */
  log(text: string): void
  /** 0 to 1. */
  progress(fraction: number, message?: string): void
  /** Resolves after `delayMs`, or as soon as `signal` aborts. */
  sleep(delayMs: number): Promise<void>
}

/** What it returns are the outputs of the attempt; what it throws fails it, with the error's `exitCode` if it has one. */
export type Handler = (context: HandlerContext) => Promise<Outputs | undefined>
