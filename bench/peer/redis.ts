/** Redis for BullMQ, when the host has one. Every command is on disk before it is answered, as with the others. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from '../../test/support/until.ts'
import type { Stage } from '../stage.ts'

export interface Redis {
  /** Its Unix socket. */
  readonly socket: string
  readonly version: string
}

/** Undefined when there is no `redis-server` in PATH. Stopped with the stage. */
export async function startRedis(stage: Stage): Promise<Redis | undefined> {
  const version = await readVersion()
  if (version === undefined) return undefined
  const folder = join(stage.folder, 'redis')
  await mkdir(folder)
  const socket = join(folder, 'socket')
  const settings = {
    port: '0',
    unixsocket: socket,
    dir: folder,
    appendonly: 'yes',
    appendfsync: 'always',
    save: '',
    'maxmemory-policy': 'noeviction',
  }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
  const child = spawn('redis-server', args, { cwd: folder, stdio: 'ignore' })
  const exit = once(child, 'exit')
  stage.onEnd(async () => {
    child.kill('SIGTERM')
    await exit
  })
  await until('Redis listens', () => canConnect(socket))
  return { socket, version }
}

async function readVersion(): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)('redis-server', ['--version'])
    return /v=(\S+)/.exec(stdout)?.[1] ?? 'unknown'
  } catch {
    return undefined
  }
}

function canConnect(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const client = connect(socket)
    client.once('connect', () => resolve(true))
    client.once('error', () => resolve(false))
    client.once('connect', () => client.destroy())
  })
}
