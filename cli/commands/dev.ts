import type { Command } from 'commander'
import { assert } from '../../shared/assert.ts'
import { resolveDataDir } from '../../shared/data-dir.ts'
import { addExamples, type Handler, type Invocation, type Run, setAction } from '../action.ts'
import { AGENTS_DEFAULT } from '../dev/agents.ts'
import { type DevSettings, runDev } from '../dev/run-dev.ts'
import { listenForStop, type StopSignals } from '../dev/stop-signals.ts'
import { readInteger } from '../option-values.ts'

interface DevOptions {
  readonly agents?: string
  readonly grpcPort?: string
  readonly httpPort?: string
}

const GRPC_PORT = 7420
const HTTP_PORT = 7480

const AGENTS = { min: 1, max: 200 }
const PORTS = { min: 0, max: 65_535 }

/** `rota dev` */
export function registerDev(program: Command, run: Run): void {
  const command = program
    .command('dev')
    .description(
      'Run a whole cluster on this host: PostgreSQL, a coordinator, agents and sample jobs. Ctrl-C stops all of it; the next start finds its data.',
    )
    .option('--data-dir <path>', 'where everything is kept (default ~/.rota)')
    .option('--agents <count>', `how many agents (default ${AGENTS_DEFAULT})`)
    .option('--grpc-port <port>', `port of gRPC, 0 for a free one (default ${GRPC_PORT})`)
    .option('--http-port <port>', `port of HTTP, 0 for a free one (default ${HTTP_PORT})`)
  addExamples(
    command,
    'rota dev',
    'rota dev --data-dir /tmp/rota --agents 3 --grpc-port 0 --http-port 0',
  )
  let signals: StopSignals | undefined
  // A second Ctrl-C must not end this process before the cluster has stopped, as it does with other commands.
  const interruptSignal = () => {
    signals ??= listenForStop()
    return signals.stop
  }
  const ownRun: Run = {
    host: { ...run.host, interruptSignal },
    get exitCode() {
      return run.exitCode
    },
    set exitCode(code) {
      run.exitCode = code
    },
  }
  const dev: Handler<DevOptions, readonly []> = (invocation, options) => {
    assert(signals !== undefined, 'the signals are listened to before a command begins')
    return runDev(invocation, readSettings(invocation, options), signals.force)
  }
  setAction(command, ownRun, dev)
}

function readSettings({ host, options }: Invocation, given: DevOptions): DevSettings {
  const count = given.agents
  const port = (option: string, text: string | undefined, fallback: number) =>
    text === undefined ? fallback : readInteger(option, text, PORTS)
  return {
    dataDir: resolveDataDir(options.dataDir, host.env['ROTA_DATA_DIR']),
    agentCount: count === undefined ? AGENTS_DEFAULT : readInteger('--agents', count, AGENTS),
    grpcPort: port('--grpc-port', given.grpcPort, GRPC_PORT),
    httpPort: port('--http-port', given.httpPort, HTTP_PORT),
  }
}
