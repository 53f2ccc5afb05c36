/** Where `rota dev` keeps its own things in the data folder. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { coordinatorFiles } from '../../shared/data-dir.ts'

/** Everything that a development cluster adds to the data folder, and what it reads of the coordinator's. */
export function devFiles(dataDir: string) {
  const { caCertificate, adminToken, postgres } = coordinatorFiles(dataDir)
  return {
    caCertificate,
    adminToken,
    /** Held by the coordinator while its PostgreSQL runs. */
    coordinatorLock: join(postgres, 'owner.lock'),
    /** Says which process runs the cluster of this folder. */
    lock: join(dataDir, 'dev.lock'),
    logs: join(dataDir, 'logs'),
    agents: join(dataDir, 'agents'),
    /** What the sample jobs read and write. */
    samples: join(dataDir, 'samples'),
    /** Which sample jobs were created. */
    samplesRecord: join(dataDir, 'samples', 'created.json'),
    /** V8's cache of compiled modules, shared by all processes. */
    compileCache: join(dataDir, 'cache', 'compile'),
  }
}

/** Where `rota` looks for a coordinator when nothing is said. */
export function defaultContextFile(): string {
  return coordinatorFiles(join(homedir(), '.rota')).context
}
