/** What a server says of itself, and whether it may be written to. */
import { RotaError } from '../../shared/errors/rota-error.ts'
import { sqlStateOf } from './database-errors.ts'

export interface ServerFacts {
  readonly isStandby: boolean
  readonly isReadOnly: boolean
  /** Made by initdb, the same on all copies; undefined where the service does not tell. */
  readonly systemId: string | undefined
  /** Counts the promotions; undefined on a standby and where the service does not tell. */
  readonly timeline: number | undefined
}

/** The newest primary that this coordinator has seen of a cluster. */
export interface SeenPrimary {
  readonly systemId: string
  readonly timeline: number
}

/** Anything that runs a statement; its rows are objects. */
interface Asks {
  query(text: string): Promise<{ rows: unknown[] }>
}

const IN_FULL = `/* readServerFacts */
  select pg_is_in_recovery() as is_standby, current_setting('transaction_read_only') = 'on' as is_read_only,
    (select system_identifier::text from pg_control_system()) as system_id,
    case when not pg_is_in_recovery() then pg_walfile_name(pg_current_wal_insert_lsn()) end as wal_file`

const IN_SHORT = `/* readServerState */
  select pg_is_in_recovery() as is_standby, current_setting('transaction_read_only') = 'on' as is_read_only,
    null as system_id, null as wal_file`

/** Not permitted, no such function, not supported: services that are not quite PostgreSQL. */
const NOT_TOLD = /^(42501|42883|0A000)$/

interface FactsRow {
  readonly is_standby: boolean
  readonly is_read_only: boolean
  readonly system_id: string | null
  readonly wal_file: string | null
}

export async function readServerFacts(client: Asks): Promise<ServerFacts> {
  const row = await ask(client, IN_FULL).catch((error: unknown) => {
    if (NOT_TOLD.test(sqlStateOf(error) ?? '')) return ask(client, IN_SHORT)
    throw error
  })
  return {
    isStandby: row.is_standby,
    isReadOnly: row.is_read_only,
    systemId: row.system_id ?? undefined,
    timeline: timelineOf(row.wal_file),
  }
}

async function ask(client: Asks, text: string): Promise<FactsRow> {
  const { rows } = await client.query(text)
  return rows[0] as FactsRow
}

/** The first eight hex digits of a WAL file's name. */
function timelineOf(walFile: string | null): number | undefined {
  return walFile === null ? undefined : Number.parseInt(walFile.slice(0, 8), 16)
}

/** Why the server must not be used; undefined when it is the primary of the cluster that was seen before. Pure. */
export function objection(facts: ServerFacts, seen: SeenPrimary | undefined): string | undefined {
  if (facts.isStandby) return 'is a standby'
  if (facts.isReadOnly) return 'is read-only'
  if (seen === undefined || facts.systemId === undefined) return undefined
  if (facts.systemId !== seen.systemId) return 'belongs to another cluster'
  if ((facts.timeline ?? seen.timeline) >= seen.timeline) return undefined
  return `is an old primary: its timeline is ${facts.timeline}, and ${seen.timeline} was seen`
}

/** Throws DATABASE_UNAVAILABLE when the server of this client must not be used. */
export async function verifyServer(client: Asks, seen: SeenPrimary | undefined): Promise<void> {
  const why = objection(await readServerFacts(client), seen)
  if (why !== undefined) throw new RotaError('DATABASE_UNAVAILABLE', `the server ${why}`)
}
