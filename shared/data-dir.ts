/** Where things lie in the data folder. Everything secret is 0600 in folders of 0700. */
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/** The data folder: the option, else ROTA_DATA_DIR, else `~/.rota`. Absolute. */
export function resolveDataDir(
  option: string | undefined,
  environment: string | undefined,
): string {
  return resolve(option ?? (environment || join(homedir(), '.rota')))
}

/** Files of a coordinator and of the CLI on the same machine. */
export function coordinatorFiles(dataDir: string) {
  const folder = join(dataDir, 'coordinator')
  return {
    folder,
    /** Opens what the database keeps sealed; the same for all coordinators of a database. */
    clusterKey: join(dataDir, 'cluster.key'),
    /** Of an earlier layout: the authority is in the database now. */
    caKey: join(folder, 'ca.key'),
    caCertificate: join(folder, 'ca.crt'),
    serverKey: join(folder, 'server.key'),
    serverCertificate: join(folder, 'server.crt'),
    adminToken: join(folder, 'admin.token'),
    postgres: join(dataDir, 'postgres'),
    /** The newest timeline that was seen of each PostgreSQL cluster. */
    timelines: join(folder, 'timelines.json'),
    /** What the CLI needs to find this coordinator; see cli-context.ts. */
    context: join(dataDir, 'context.json'),
  }
}

/** Files of one agent, in a data folder of its own. */
export function agentFiles(dataDir: string) {
  return {
    folder: dataDir,
    key: join(dataDir, 'agent.key'),
    certificate: join(dataDir, 'agent.crt'),
    caCertificate: join(dataDir, 'ca.crt'),
    settings: join(dataDir, 'agent.json'),
    journal: join(dataDir, 'journal'),
    attempts: join(dataDir, 'attempts'),
    /** Addresses of coordinators that the agent has heard of. */
    coordinators: join(dataDir, 'coordinators.json'),
  }
}

/** Held by the warden of an agent's data folder as long as it lives; in a folder that no other user may enter. */
export function wardenLock(agentDataDir: string): string {
  return join(agentDataDir, 'warden', 'lock')
}
