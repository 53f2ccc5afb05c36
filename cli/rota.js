#!/usr/bin/env node
// The command `rota` for any Node: hands over to the Node that Rota brings when the one that runs this is too old for
// TypeScript. Plain JavaScript, because an old Node must be able to read it.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const NODE_MAJOR_MIN = 26
const main = fileURLToPath(new URL('main.ts', import.meta.url))
const brought = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url))

if (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR_MIN) {
  await import('./main.ts')
} else if (existsSync(brought)) {
  handOver()
} else {
  process.stderr.write(
    `error: Rota needs Node ${NODE_MAJOR_MIN}, this is ${process.version}. Install that one, or run \`npm install\` here, which brings it.\n`,
  )
  process.exitCode = 1
}

function handOver() {
  const child = spawn(brought, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
  // Ctrl-C reaches the child by itself, which decides what it means; the others come to this process alone.
  process.on('SIGINT', () => {})
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.once('exit', (code, signal) => {
    process.exitCode = code ?? 128
    if (signal !== null) {
      process.removeAllListeners(signal)
      process.kill(process.pid, signal)
    }
  })
}
