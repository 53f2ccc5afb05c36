/** What the processes of a setting have worked, as Linux accounts for it. */
import { readCpuMs, readFamilyCpuMs } from '../measure/process-cost.ts'
import type { Figures } from '../measure/result.ts'
import type { Setting } from './setting.ts'

/** Time on a core since their start, in ms. */
export interface Costs {
  readonly coordinator: number
  readonly agents: number
  readonly postgres: number
}

export function readCosts({ postgres, rota }: Pick<Setting, 'postgres' | 'rota'>): Costs {
  const agents = rota.agents.map(({ process }) => readCpuMs(process.pid))
  return {
    coordinator: rota.coordinators.reduce((sum, { pid }) => sum + readCpuMs(pid), 0),
    agents: agents.reduce((sum, ms) => sum + ms, 0),
    postgres: readFamilyCpuMs(postgres.pid),
  }
}

/** In microseconds of a core per execution. */
export function costsSince(before: Costs, after: Costs, count: number) {
  const perOne = (part: keyof Costs) => ((after[part] - before[part]) * 1_000) / count
  return {
    coordinatorUs: perOne('coordinator'),
    agentsUs: perOne('agents'),
    postgresUs: perOne('postgres'),
  } satisfies Figures
}
