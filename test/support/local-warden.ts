/** A warden in the process of a test: the same core as the real one, without a process and a socket per agent. */
import { mkdirSync } from 'node:fs'
import { readBootMs } from '../../agent/warden/boot-clock.ts'
import { Cgroups } from '../../agent/warden/cgroups.ts'
import { EndLog } from '../../agent/warden/end-log.ts'
import { endLeftovers } from '../../agent/warden/leftovers.ts'
import type { ProcessEnd, Started } from '../../agent/warden/messages.ts'
import { Warden } from '../../agent/warden/warden.ts'
import { wardenFiles } from '../../agent/warden/warden-files.ts'
import type { WardenLink } from '../../agent/warden/warden-link.ts'
import { systemClock as clock } from '../../shared/clock.ts'
import { readBootId } from '../../shared/process-stat.ts'

interface Run {
  readonly onStarted: (started: Started) => void
  readonly ended: PromiseWithResolvers<ProcessEnd>
}

/** Lives and ends with the agent: `leave` is `quit`. */
export function localWarden(dataDir: string): WardenLink {
  const runs = new Map<string, Run>()
  const { attempts: attemptsDir, ends: endsFile, folder } = wardenFiles(dataDir)
  const place = { attemptsDir, endsFile, clock, bootId: readBootId() }
  let cgroups: Cgroups | undefined
  let warden: Warden | undefined
  let ends: EndLog | undefined
  const open = () => {
    cgroups ??= Cgroups.open(dataDir, clock)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    ends ??= EndLog.open(endsFile)
    warden ??= new Warden({
      ...{ ...place, readBootMs, cgroups, ends },
      listener: {
        onStarted: (key, started) => runs.get(key)?.onStarted(started),
        onEnded: (key, end) => runs.get(key)?.ended.resolve(end),
        onTrouble: (what, error) => {
          throw new Error(what, { cause: error })
        },
      },
    })
    return warden
  }
  const quit = async () => {
    await warden?.close({ kind: 'lost', reason: 'the agent was stopped' }, 0)
    cgroups?.close()
  }
  return {
    async open(left) {
      open()
      const ends = await endLeftovers(left, { ...place, cgroups })
      return new Map([...ends].map(([key, end]) => [key, { key, started: undefined, end }]))
    },
    start(order, onStarted) {
      const ended = Promise.withResolvers<ProcessEnd>()
      runs.set(order.key, { onStarted, ended })
      open().start(order)
      return ended.promise
    },
    adopt({ key, end }) {
      if (end === undefined) throw new Error(`${key} runs in no warden of this process`)
      return Promise.resolve(end)
    },
    stop: (key, cause, graceMs) => open().stop(key, cause, graceMs),
    renewLease: (lease) => open().renewLease(lease),
    forget: (key) => open().forget(key),
    leave: quit,
    quit,
  }
}
