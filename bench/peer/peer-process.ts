/** A peer in a process of its own: commands and answers are lines of JSON. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Stage } from '../stage.ts'

export interface PeerProcess {
  /** Waits for the answer; throws what went wrong in the peer. One at a time. */
  ask<T>(command: string, args?: object): Promise<T>
  stop(): Promise<void>
}

export async function startPeer(
  stage: Stage,
  script: string,
  config: object,
): Promise<PeerProcess> {
  const file = join(import.meta.dirname, '..', 'peers', script)
  // Its working folder is the stage's: the last resort finds it there.
  const child = spawn(process.execPath, [file, JSON.stringify(config)], {
    cwd: stage.folder,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let complaints = ''
  child.stderr.on('data', (chunk: Buffer) => {
    complaints = (complaints + chunk.toString()).slice(-2_000)
  })
  const exit = once(child, 'close')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async (): Promise<Record<string, unknown>> => {
    const { done, value } = await lines.next()
    if (done === true) throw new Error(`${script} ended: ${complaints}`)
    const said = JSON.parse(value)
    if (said.failed !== undefined) throw new Error(`${script}: ${said.failed}`)
    return said
  }
  const stop = async () => {
    child.stdin.end()
    await exit
  }
  stage.onEnd(stop)
  await answer()
  return {
    async ask<T>(command: string, args: object = {}) {
      child.stdin.write(`${JSON.stringify({ command, ...args })}\n`)
      return (await answer())['done'] as T
    },
    stop,
  }
}
