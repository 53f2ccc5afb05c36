import type { Command } from 'commander'
import { COORDINATOR } from '../../shared/programs.ts'
import { addExamples, type Run } from '../action.ts'
import { passThrough } from '../pass-through.ts'

/** `rota server ...` */
export function registerServer(program: Command, run: Run): void {
  const server = program.command('server').description('Run a coordinator.')
  const start = server
    .command('start')
    .description('Run a coordinator in the foreground until SIGTERM or Ctrl-C.')
    .option('--data-dir <path>', 'keys, tokens and the embedded PostgreSQL (default ~/.rota)')
    .option('--grpc-port <port>', 'for agents and the CLI (default 7420; 0 takes a free one)')
    .option('--http-port <port>', 'for probes, on loopback (default 7480; 0 takes a free one)')
    .option('--listen <address>', 'address of the gRPC port (default 127.0.0.1)')
    .option('--advertise <names>', 'HOST[:PORT],... under which agents reach it')
    .option(
      '--cluster-key-file <path>',
      'the secret of all coordinators of a database (default cluster.key in the data folder)',
    )
    .option('--lease <duration>', 'how long a silent agent keeps its work (default 12s)')
    .option('--retention <duration>', 'how long history and output are kept (default 30d)')
    .option('--agent-certificate-ttl <duration>', 'agents renew at half of it (default 30d)')
    .option('--log-level <level>', 'trace, debug, info (default), warn, error')
    .addHelpText(
      'after',
      '\nEnvironment:\n  DATABASE_URL      use this PostgreSQL instead of the embedded one; several hosts with commas\n  ROTA_CLUSTER_KEY  the cluster key itself\n  ROTA_DATA_DIR     the same as --data-dir\n  ROTA_LOG_LEVEL    debug, info (default), warn or error; logs are JSON lines on stderr',
    )
  addExamples(
    start,
    'rota server start',
    'DATABASE_URL=postgresql://rota@db.example/rota rota server start --data-dir /var/lib/rota',
  )
  passThrough(start, run, { program: COORDINATOR, verbs: [] })
}
