/** What the processes of a setting have worked, as Linux accounts for it. */
import { wardenLock } from '../../shared/data-dir.ts'
import { lockHolder } from '../../shared/lock-file.ts'
import { readChildrenCpuMs, readCpuMs, readFamilyCpuMs } from '../measure/process-cost.ts'
import type { Figures } from '../measure/result.ts'
import type { Setting } from './setting.ts'

/** Time on a core since their start, in ms. */
export interface Costs {
  readonly coordinator: number
  readonly agents: number
  readonly postgres: number
  /** 0 until a command has run. */
  readonly wardens: number
  /** Of the commands themselves, from their fork on. */
  readonly commands: number
}

export function readCosts({ postgres, rota }: Pick<Setting, 'postgres' | 'rota'>): Costs {
  const wardens = rota.agents.flatMap(({ dataDir }) => lockHolder(wardenLock(dataDir)) ?? [])
  return {
    coordinator: sum(rota.coordinators.map(({ pid }) => readCpuMs(pid))),
    agents: sum(rota.agents.map(({ process }) => readCpuMs(process.pid))),
    postgres: readFamilyCpuMs(postgres.pid),
    wardens: sum(wardens.map(readCpuMs)),
    commands: sum(wardens.map(readChildrenCpuMs)),
  }
}

/** In microseconds of a core per execution. */
export function costsSince(before: Costs, after: Costs, count: number) {
  const perOne = perOneOf(before, after, count)
  return {
    coordinatorUs: perOne('coordinator'),
    agentsUs: perOne('agents'),
    postgresUs: perOne('postgres'),
  } satisfies Figures
}

/** The same of what runs commands. */
export function commandCostsSince(before: Costs, after: Costs, count: number) {
  const perOne = perOneOf(before, after, count)
  return { wardenUs: perOne('wardens'), commandUs: perOne('commands') } satisfies Figures
}

function perOneOf(before: Costs, after: Costs, count: number) {
  return (part: keyof Costs) => ((after[part] - before[part]) * 1_000) / count
}

function sum(all: readonly number[]): number {
  return all.reduce((total, each) => total + each, 0)
}
