/** The peers of a scenario, each started once and kept warm for all its runs. */
import type { BenchPostgres } from '../cluster/postgres.ts'
import type { Stage } from '../stage.ts'
import { installPeers } from './install.ts'
import { type PeerProcess, startPeer } from './peer-process.ts'
import { startRedis } from './redis.ts'

export interface Peer {
  readonly name: string
  readonly process: PeerProcess
}

export interface Peers {
  readonly peers: readonly Peer[]
  /** Why some are absent. */
  readonly notes: readonly string[]
  /** Their versions. */
  readonly facts: Readonly<Record<string, string>>
}

/** `graphile-worker` is its best mode. */
export type PeerName = 'graphile-worker' | 'graphile-worker default' | 'pg-boss' | 'bullmq'

const OVER_POSTGRES: Readonly<Record<Exclude<PeerName, 'bullmq'>, Launch>> = {
  'graphile-worker': { script: 'graphile-worker.js', mode: 'best', database: 'peer_graphile' },
  'graphile-worker default': {
    script: 'graphile-worker.js',
    mode: 'default',
    database: 'peer_graphile_default',
  },
  'pg-boss': { script: 'pg-boss.js', mode: 'best', database: 'peer_pgboss' },
}

interface Launch {
  readonly script: string
  readonly mode: string
  readonly database: string
}

export async function startPeers(
  stage: Stage,
  postgres: BenchPostgres,
  names: readonly PeerName[],
): Promise<Peers> {
  if (!stage.options.hasPeers)
    return { peers: [], notes: ['without peers (--no-peers)'], facts: {} }
  const installed = await installPeers(stage)
  if (installed.kind === 'absent') return { peers: [], notes: [installed.why], facts: {} }
  const { versions } = installed
  const peers: Peer[] = []
  const notes: string[] = []
  const facts: Record<string, string> = {}
  for (const name of names) {
    if (name === 'bullmq') {
      const redis = await startRedis(stage)
      if (redis === undefined) {
        notes.push('no bullmq: there is no redis-server in PATH (apt-get install redis-server)')
        continue
      }
      facts['redis'] = `${redis.version}, appendfsync always`
      peers.push({ name, process: await startPeer(stage, 'bullmq.js', redis) })
    } else {
      const { database, mode, script } = OVER_POSTGRES[name]
      const { url: databaseUrl } = await postgres.createDatabase(database)
      peers.push({ name, process: await startPeer(stage, script, { databaseUrl, mode }) })
    }
    const [packageName = name] = name.split(' ')
    facts[packageName] = versions[packageName] ?? 'unknown'
  }
  return { peers, notes, facts }
}
