/** Wall clocks that jump. */
import { setTimeout as sleep } from 'node:timers/promises'
import { noOwnClocks } from '../cluster/own-clock.ts'
import type { Stage } from '../run/stage.ts'
import { type Fault, unless } from './fault.ts'

const HOUR_S = 3_600

export const clockJump: Fault = {
  name: 'clock-jump',
  what: 'the wall clocks of a coordinator and of an agent jump an hour ahead, then back behind, then right',
  target: undefined,
  allowsOverlap: 'none',
  shape: { clocks: 'own' },
  unable: noOwnClocks,
  async run(stage) {
    const { cluster } = stage
    const problems: string[] = []
    for (const shiftSeconds of [HOUR_S, -HOUR_S, 0]) {
      const probe = await stage.probe({
        guarantee: 'exclusive',
        seconds: Math.ceil(stage.leaseMs / 2_000),
      })
      const worker = await probe.worker()
      const { node } = await stage.busyCoordinator()
      for (const name of [node.name, worker]) cluster.setClock(name, shiftSeconds)
      // Whoever must connect anew meets certificates and times of another hour.
      for (const { agentSide } of cluster.coordinators) agentSide.reset(worker)
      await sleep(stage.leaseMs)
      problems.push(...unless(await probe.ended(), 'succeeded', ['succeeded']))
      problems.push(...(await lateFires(stage)))
      for (const { name } of [...cluster.coordinators, ...cluster.agents]) cluster.setClock(name, 0)
    }
    return { recoveryMs: undefined, problems }
  },
}

/** Schedules follow the clock of the database alone. */
async function lateFires({ cluster }: Stage): Promise<string[]> {
  const rows = await cluster.query<{ job: string }>(`
    select j.name as job from rota.occurrence o join rota.job j on j.id = o.job_id
    where o.scheduled_for > clock_timestamp() - interval '10 seconds'
      and o.decided_at not between o.scheduled_for and o.scheduled_for + interval '5 seconds'`)
  return rows.map(({ job }) => `${job} fired at another time than its own`)
}
