import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { ProcessSweeper } from '../../agent/warden/kill-processes.ts'
import { systemClock } from '../../shared/clock.ts'

/** A process as it is left behind by an attempt: in a session of its own, with the mark. */
function leave(execution: string): ChildProcess {
  const env = { ...process.env, ROTA_EXECUTION: execution, ROTA_EPOCH: '3' }
  const child = spawn('sleep', ['60'], { detached: true, stdio: 'ignore', env })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return child
}

test.runIf(process.platform === 'linux')(
  'attempts that end together are swept together, and others are left alone',
  async () => {
    const [first, second, other] = ['sweep-a', 'sweep-b', 'sweep-c'].map(leave)
    const ends = [first!, second!].map((child) => once(child, 'exit'))
    const sweeper = new ProcessSweeper(systemClock)
    await Promise.all(['sweep-a.3', 'sweep-b.3', 'sweep-d.3'].map((key) => sweeper.sweep(key)))
    expect((await Promise.all(ends)).map(([, signal]) => signal)).toEqual(['SIGKILL', 'SIGKILL'])
    expect([other!.exitCode, other!.signalCode]).toEqual([null, null])
    await sweeper.sweep('sweep-c.4')
    expect(other!.signalCode).toBeNull()
    const end = once(other!, 'exit')
    await sweeper.sweep('sweep-c.3')
    await end
  },
)

test.runIf(process.platform === 'linux')(
  'behind the first process of a short attempt only what came after it is looked at',
  async () => {
    const [before, first, after] = ['sweep-e', 'sweep-f', 'sweep-e'].map(leave)
    const sweeper = new ProcessSweeper(systemClock)
    const end = once(after!, 'exit')
    await sweeper.sweep('sweep-e.3', { pid: first!.pid!, ageMs: 1 })
    await end
    // Pids that had begun anew meanwhile would have been looked at, too.
    if (before!.pid! < first!.pid!) expect(before!.signalCode).toBeNull()
    const found = once(before!, 'exit')
    await sweeper.sweep('sweep-e.3', { pid: first!.pid!, ageMs: 60_000 })
    await found
  },
)
