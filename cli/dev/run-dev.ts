/**
 * `rota dev`: a whole cluster on this host, under one process that starts it, shows what it does, and stops it.
 *
 * R1. One per data folder.
 * R2. When it returns, or throws, nothing of the cluster runs.
 */
import { mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { sleep } from '../../shared/clock.ts'
import { coordinatorFiles } from '../../shared/data-dir.ts'
import type { RotaError } from '../../shared/errors/rota-error.ts'
import { type LockResult, lockHolder, takeLock } from '../../shared/lock-file.ts'
import type { Invocation } from '../action.ts'
import { openApi } from '../client.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { usageError } from '../option-values.ts'
import { createScreen } from '../output/screen.ts'
import { timeOfDay } from '../output/time.ts'
import { type BannerFacts, renderBanner, shellPath } from './banner.ts'
import { Cluster, type RunningCoordinator } from './cluster.ts'
import { claimDefaultContext, releaseDefaultContext } from './default-context.ts'
import { ensureSamples } from './ensure-samples.ts'
import { createFeed } from './feed.ts'
import { defaultContextFile, devFiles } from './files.ts'
import { reservePort } from './ports.ts'
import { readSamples } from './sample-file.ts'
import { aborted } from './stop-signals.ts'

/** What was asked for on the command line. */
export interface DevSettings {
  /** Absolute. */
  readonly dataDir: string
  readonly agentCount: number
  /** 0: any free one. */
  readonly grpcPort: number
  readonly httpPort: number
}

/** How long the processes of a killed run may take to stop. */
const LAST_RUN_MS = 20_000

/** Runs until Ctrl-C, which aborts `invocation.interrupted`; `force` cuts the stop short. */
export async function runDev(
  invocation: Invocation,
  settings: DevSettings,
  force: AbortSignal,
): Promise<ExitCode> {
  // Closed to others: it will hold keys and tokens.
  mkdirSync(settings.dataDir, { recursive: true, mode: 0o700 })
  const lock = lockDataDir(settings.dataDir)
  try {
    await runCluster(invocation, settings, force)
    return EXIT.ok
  } finally {
    lock.release()
  }
}

async function runCluster(
  invocation: Invocation,
  settings: DevSettings,
  force: AbortSignal,
): Promise<void> {
  const { host, interrupted: stop } = invocation
  const say = (line: string) => void host.stdout.write(`${line}\n`)
  await waitForLastRun(settings.dataDir, { invocation, say })
  if (stop.aborted) return
  const cluster = new Cluster({
    ...settings,
    grpcPort: await reservePort('--grpc-port', settings.grpcPort),
    httpPort: await reservePort('--http-port', settings.httpPort),
    env: host.env,
    clock: host.clock,
    say: (line) => say(`${timeOfDay(host.clock.now())}  ${line}`),
    openApi: (server) => openApi(server, invocation),
  })
  const run = runUntilStopped(cluster, { invocation, settings, say, stop })
  try {
    await Promise.race([run, aborted(stop)])
  } finally {
    // What Ctrl-C interrupts fails, and that is no news.
    run.catch(() => {})
    say('stopping ...')
    await cluster.stop(force)
    releaseDefaultContext(defaultContextFile(), process.pid)
    say('stopped')
  }
}

/** After a kill, the processes of the last run need a moment to stop by themselves. */
async function waitForLastRun(
  dataDir: string,
  { invocation, say }: Pick<Stage, 'invocation' | 'say'>,
): Promise<void> {
  const { clock } = invocation.host
  const { coordinatorLock } = devFiles(dataDir)
  const pid = lockHolder(coordinatorLock)
  if (pid === undefined) return
  say(`waiting for the coordinator of another run (process ${pid}) to stop ...`)
  const deadlineMs = clock.monotonicMs() + LAST_RUN_MS
  while (lockHolder(coordinatorLock) === pid && !invocation.interrupted.aborted) {
    if (clock.monotonicMs() > deadlineMs) throw inUse(dataDir, pid)
    await sleep(clock, 100, invocation.interrupted)
  }
}

interface Stage {
  readonly invocation: Invocation
  readonly settings: DevSettings
  readonly say: (line: string) => void
  readonly stop: AbortSignal
}

async function runUntilStopped(cluster: Cluster, stage: Stage): Promise<void> {
  const { settings, say } = stage
  const { dataDir, agentCount } = settings
  say(`Rota development cluster in ${shellPath(dataDir, homedir())}`)
  say('starting PostgreSQL and the coordinator ...')
  const coordinator = await cluster.startCoordinator()
  say(`starting ${agentCount} agents ...`)
  const missing = await cluster.startAgents(coordinator)
  for (const name of missing) say(`${name} is not connected yet; see its log`)
  const since = stage.invocation.host.clock.now()
  const created = await makeSamples(coordinator, stage)
  if (created > 0) say(`created ${created} sample jobs`)
  const isFound = shareContext(coordinator, dataDir)
  for (const line of renderBanner(bannerFacts(coordinator, settings, isFound))) say(line)
  say('rota is ready')
  await showExecutions(cluster, coordinator, { ...stage, since })
}

function makeSamples(coordinator: RunningCoordinator, stage: Stage): Promise<number> {
  const { host } = stage.invocation
  const { samples, logs, samplesRecord } = devFiles(stage.settings.dataDir)
  const jobs = readSamples({ samples, logs, http_address: coordinator.httpAddress })
  return ensureSamples(jobs, {
    api: coordinator.api,
    clock: host.clock,
    random: host.random,
    recordFile: samplesRecord,
  })
}

/** True when `rota` finds this cluster without being told its data folder. */
function shareContext({ grpcAddress }: RunningCoordinator, dataDir: string): boolean {
  const { caCertificate: caFile, adminToken: tokenFile } = devFiles(dataDir)
  const file = defaultContextFile()
  // There, the coordinator has written its own.
  if (coordinatorFiles(dataDir).context === file) return true
  return claimDefaultContext(file, { address: grpcAddress, caFile, tokenFile, pid: process.pid })
}

function bannerFacts(
  { grpcAddress, httpAddress }: RunningCoordinator,
  { dataDir, agentCount }: DevSettings,
  isFound: boolean,
): BannerFacts {
  const { caCertificate: caFile, adminToken: tokenFile, logs } = devFiles(dataDir)
  return {
    ...{ grpcAddress, httpAddress, caFile, tokenFile, logs, agentCount },
    dataDirOption: isFound ? undefined : dataDir,
    home: homedir(),
  }
}

const FEED_MS = 2_000

async function showExecutions(
  cluster: Cluster,
  { api }: RunningCoordinator,
  { invocation, say, stop, since }: Stage & { readonly since: Date },
): Promise<void> {
  const feed = createFeed(api, since, () => createScreen(invocation))
  let lastProblem = ''
  while (!stop.aborted) {
    await sleep(invocation.host.clock, FEED_MS, stop)
    cluster.trimLogs()
    try {
      for (const line of await feed.readNew()) say(line)
      lastProblem = ''
    } catch (error) {
      // The feed goes on when the coordinator is back; until then one line says so.
      const problem = error instanceof Error ? error.message : String(error)
      if (problem !== lastProblem && !stop.aborted) say(`executions cannot be shown: ${problem}`)
      lastProblem = problem
    }
  }
}

function lockDataDir(dataDir: string): Extract<LockResult, { outcome: 'locked' }> {
  const lock = takeLock(devFiles(dataDir).lock)
  if (lock.outcome === 'locked') return lock
  throw inUse(dataDir, lock.pid)
}

function inUse(dataDir: string, pid: number): RotaError {
  return usageError(
    '--data-dir',
    `process ${pid} runs a cluster in ${dataDir} already`,
    'Use that one, stop it, or give another --data-dir.',
  )
}
