/**
 * A real primary with a real streaming standby, both of this test: killed, frozen and promoted at will.
 *
 *   const pair = await startReplicatedPostgres({ isSynchronous: true })
 *   ... coordinators with DATABASE_URL=pair.url ...
 *   await pair.primary.kill(); await pair.standby.promote()
 *   await pair.remove()
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { SUPERUSER } from '../../coordinator/store/embedded/initialise.ts'
import type { TestDatabase } from './postgres.ts'
import {
  copyPostgresServer,
  createPostgresServer,
  PASSWORD,
  type PostgresServer,
} from './postgres-server.ts'
import { makeTemporaryFolder } from './temporary-folder.ts'
import { until } from './until.ts'

export interface ReplicatedPostgres {
  readonly primary: PostgresServer
  readonly standby: PostgresServer
  /** Names both, as DATABASE_URL does. */
  readonly url: string
  /** For coordinators of the test. */
  readonly database: TestDatabase
  /** From now on the primary commits what the standby never gets (asynchronous), or waits for ever (synchronous). */
  stallReplication(): Promise<void>
  resumeReplication(): Promise<void>
  /** Waits until the standby has everything that the primary has written. */
  caughtUp(): Promise<void>
  /** Ends both, whatever state they are in, and removes their data. */
  remove(): Promise<void>
}

export interface SinglePostgres {
  readonly server: PostgresServer
  /** On its disk. */
  readonly folder: string
  readonly url: string
  /** For coordinators of the test. */
  readonly database: TestDatabase
  remove(): Promise<void>
}

const STANDBY = 'standby'

/** A server alone, with an empty database `rota`; with `diskMb` on a disk of its own of this size (needs root). */
export async function startSinglePostgres(
  options: { readonly diskMb?: number } = {},
): Promise<SinglePostgres> {
  const temporary = await makeTemporaryFolder()
  const folder = join(temporary.path, 'single')
  if (options.diskMb !== undefined) await mountDisk(folder, options.diskMb)
  const server = await createPostgresServer({ name: 'single', folder })
  const remove = async () => {
    await server.kill()
    await temporary.remove()
  }
  try {
    await server.start()
  } catch (error) {
    await remove()
    throw error
  }
  return { server, folder, url: databaseUrl([server]), database: testDatabase([server]), remove }
}

/** Both serve, the standby streams, and an empty database `rota` is on both. */
export async function startReplicatedPostgres(options: {
  readonly isSynchronous: boolean
}): Promise<ReplicatedPostgres> {
  const temporary = await makeTemporaryFolder()
  const servers: PostgresServer[] = []
  const remove = async () => {
    for (const server of servers) await server.kill()
    await temporary.remove()
  }
  try {
    const folder = join(temporary.path, 'primary')
    const primary = await createPostgresServer({ name: 'primary', folder })
    servers.push(primary)
    const standby = await copyPostgresServer(primary, {
      name: STANDBY,
      folder: join(temporary.path, 'standby'),
      settings: { primary_conninfo: conninfo(primary) },
    })
    servers.push(standby)
    await writeFile(join(standby.place.data, 'standby.signal'), '')
    await primary.start(options.isSynchronous ? { synchronous_standby_names: STANDBY } : {})
    await standby.start()
    const pair = replicated(primary, standby)
    await pair.caughtUp()
    return { ...pair, remove }
  } catch (error) {
    await remove()
    throw error
  }
}

function replicated(
  primary: PostgresServer,
  standby: PostgresServer,
): Omit<ReplicatedPostgres, 'remove'> {
  const signalSender = async (signal: NodeJS.Signals) => {
    const rows = await primary.query<{ pid: number }>('select pid from pg_stat_replication')
    for (const { pid } of rows) process.kill(pid, signal)
  }
  return {
    primary,
    standby,
    url: databaseUrl([primary, standby]),
    database: testDatabase([primary, standby]),
    stallReplication: () => signalSender('SIGSTOP'),
    resumeReplication: () => signalSender('SIGCONT'),
    async caughtUp() {
      await until('the standby has caught up', async () => {
        const rows = await primary.query<{ is_even: boolean }>(
          `select replay_lsn >= pg_current_wal_lsn() as is_even from pg_stat_replication where state = 'streaming'`,
        )
        return rows[0]?.is_even
      })
    },
  }
}

function conninfo({ port }: PostgresServer): string {
  return `host=127.0.0.1 port=${port} user=${SUPERUSER} password=${PASSWORD} application_name=${STANDBY}`
}

async function mountDisk(folder: string, sizeMb: number): Promise<void> {
  await mkdir(folder)
  const options = `size=${sizeMb}m,mode=0711`
  await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', options, 'rota-test', folder])
}

function testDatabase(servers: readonly [PostgresServer, ...PostgresServer[]]): TestDatabase {
  return {
    connection: servers[0].connection,
    connectionString: databaseUrl(servers),
    clusterKey: randomBytes(32).toString('hex'),
    // Goes with its server.
    drop: async () => {},
  }
}

function databaseUrl(servers: readonly PostgresServer[]): string {
  const hosts = servers.map(({ port }) => `127.0.0.1:${port}`).join(',')
  return `postgres://${SUPERUSER}:${PASSWORD}@${hosts}/rota?target_session_attrs=read-write`
}
