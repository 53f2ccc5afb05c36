/** Where `rota dev` keeps its own things in the data folder. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { coordinatorFiles } from '../../shared/data-dir.ts'

export function devFiles(dataDir: string) {
  const { caCertificate, adminToken } = coordinatorFiles(dataDir)
  return {
    caCertificate,
    adminToken,
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

export type DevFiles = ReturnType<typeof devFiles>

/** Where `rota` looks for a coordinator when nothing is said. */
export function defaultContextFile(): string {
  return coordinatorFiles(join(homedir(), '.rota')).context
}
