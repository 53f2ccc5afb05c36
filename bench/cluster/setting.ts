/** What most scenarios begin with: PostgreSQL, a coordinator, agents, and executions for them. */
import type { Stage } from '../stage.ts'
import { createLoad, type Load } from './load.ts'
import { type BenchDatabase, type BenchPostgres, startPostgres } from './postgres.ts'
import { type Rota, startRota } from './rota.ts'

export interface Setting {
  readonly postgres: BenchPostgres
  readonly database: BenchDatabase
  readonly rota: Rota
  readonly load: Load
  /** For the line of the machine. */
  readonly facts: Readonly<Record<string, string | number>>
}

export interface SettingOptions {
  readonly agents?: number
  readonly slots?: number
  readonly coordinators?: number
  /** Of PostgreSQL, over those of every scenario. */
  readonly settings?: Readonly<Record<string, string>>
}

/** Agents and slots are those of the command line where the scenario does not say otherwise. */
export async function startSetting(stage: Stage, options: SettingOptions = {}): Promise<Setting> {
  const { agents = stage.options.agents, coordinators = 1, settings } = options
  const { slots = stage.options.slots } = options
  const postgres = await startPostgres(stage, settings)
  const database = await postgres.createDatabase('rota')
  stage.say(`starting ${coordinators} coordinator(s) and ${agents} agent(s) ...`)
  const rota = await startRota(stage, { database, agents, slots, coordinators })
  return {
    postgres,
    database,
    rota,
    load: createLoad(stage, rota),
    facts: { ...postgres.facts, 'rota agents': agents, 'rota slots per agent': slots },
  }
}
