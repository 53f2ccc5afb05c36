import type { Command } from 'commander'
import { addExamples, type Run } from '../action.ts'
import { passThrough } from '../pass-through.ts'

const MAIN = new URL('../../coordinator/main.ts', import.meta.url)

/** `rota server ...` */
export function registerServer(program: Command, run: Run): void {
  const server = program.command('server').description('Run a coordinator.')
  const start = server
    .command('start')
    .description('Run a coordinator in the foreground until SIGTERM or Ctrl-C.')
    .option('--data-dir <path>', 'keys, tokens and the embedded PostgreSQL (default ~/.rota)')
    .option('--grpc-port <port>', 'for agents and the CLI (default 7420; 0 takes a free one)')
    .option('--http-port <port>', 'for REST and health (default 7480; 0 takes a free one)')
    .option('--listen <address>', 'address to bind to (default 127.0.0.1)')
    .addHelpText(
      'after',
      '\nEnvironment:\n  DATABASE_URL    use this PostgreSQL instead of the embedded one\n  ROTA_DATA_DIR   the same as --data-dir\n  ROTA_LOG_LEVEL  debug, info (default), warn or error; logs are JSON lines on stderr',
    )
  addExamples(
    start,
    'rota server start',
    'DATABASE_URL=postgresql://rota@db.example/rota rota server start --data-dir /var/lib/rota',
  )
  passThrough(start, run, { script: MAIN, verbs: [] })
}
