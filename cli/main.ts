#!/usr/bin/env node
/** The program `rota`: makes the one real host, runs a command line, and ends with its exit code. */
import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../shared/clock.ts'
import { systemRandom } from '../shared/random.ts'
import { becomeProgram } from './become-program.ts'
import { EXIT } from './exit-codes.ts'
import type { Host } from './host.ts'

const NODE_MAJOR_MIN = 26

if (Number.parseInt(process.versions.node, 10) < NODE_MAJOR_MIN) {
  process.stderr.write(
    `error: Rota needs Node ${NODE_MAJOR_MIN}, this is ${process.version}. It brings its own: run it as \`npx rota\` after \`npm install\`.\n`,
  )
  process.exit(EXIT.error)
}

// Compiling the generated code takes longer than any command; a cache that cannot be written is done without.
enableCompileCache(
  join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'rota', 'compile'),
)

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // The reader has seen enough, e.g. `| head`.
    if (error.code === 'EPIPE') process.exit(EXIT.ok)
    throw error
  })
}

const interrupt = new AbortController()
let isListening = false

const host: Host = {
  clock: systemClock,
  random: systemRandom,
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  interruptSignal() {
    if (!isListening) {
      process.on('SIGINT', () => {
        // Asked twice: whatever takes so long is left as it is.
        if (interrupt.signal.aborted) process.exit(EXIT.interrupted)
        interrupt.abort()
      })
    }
    isListening = true
    return interrupt.signal
  },
  become: becomeProgram,
}

// Timers of the clock keep no process alive, but a command that waits must go on.
const alive = setInterval(() => {}, 60_000)
const { runCli } = await import('./run.ts')
const exitCode = await runCli(process.argv.slice(2), host)
clearInterval(alive)
await Promise.all([process.stdout, process.stderr].map(flush))
// A connection that never came about would hold the process for minutes.
process.exit(exitCode)

/** Resolves when everything written before has left. */
function flush(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve())
  })
}
