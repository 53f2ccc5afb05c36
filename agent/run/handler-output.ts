/** The output of one handler: its file is made when it writes for the first time, for most never do. */
import { closeSync, openSync, writeSync } from 'node:fs'
import type { TaskContext } from './task-context.ts'

export class HandlerOutput {
  readonly #context: TaskContext
  #file: number | undefined
  #hasEnded = false

  constructor(context: TaskContext) {
    this.#context = context
  }

  /** Into the page cache: as quick as queueing it, and a handler cannot outrun the disk. */
  write(text: string): void {
    if (this.#file === undefined) {
      // The attempt of an abandoned handler has been reported: nobody would look at a new file.
      if (this.#hasEnded) return
      const { makeWorkspace, workspace } = this.#context
      makeWorkspace()
      this.#file = openSync(workspace.logs.stdout, 'a', 0o600)
    }
    writeSync(this.#file, text)
  }

  /** The attempt has ended, if not the handler. */
  end(): void {
    this.#hasEnded = true
  }

  /** The handler has ended. */
  close(): void {
    this.#hasEnded = true
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }
}
