/** A network for each agent, plugged into one bridge; pulling the plug loses packets, and nobody is told. Needs root. */
import { execFileSync } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Namespaces {
  /** The host's address on the bridge, which all agents reach. */
  readonly hostAddress: string
  /** Makes the network of an agent; answers the command line that runs a program in it. */
  add(agent: string): readonly string[]
  unplug(agent: string): void
  plug(agent: string): void
}

/** Why there can be none here. */
export function noNamespaces(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  try {
    execFileSync('ip', ['netns', 'list'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'the command `ip` (iproute2) is not installed'
  }
}

/** `folder`: of the cluster, whose reaper takes all of it back. */
export function createNamespaces(folder: string): Namespaces {
  // Names of interfaces have 15 letters at most.
  const id = (process.pid % 0xffff).toString(16)
  const subnet = `10.${200 + (process.pid % 50)}.${Math.floor(process.pid / 50) % 250}`
  const bridge = `rotabr${id}`
  const ports = new Map<string, string>()
  appendFileSync(join(folder, 'undo'), `ip link delete ${bridge}\n`)
  ip('link', 'add', bridge, 'type', 'bridge')
  ip('address', 'add', `${subnet}.1/24`, 'dev', bridge)
  ip('link', 'set', bridge, 'up')
  const portOf = (agent: string) => {
    const port = ports.get(agent)
    if (port === undefined) throw new Error(`${agent} has no network of its own`)
    return port
  }
  return {
    hostAddress: `${subnet}.1`,
    add(agent) {
      const number = ports.size + 2
      const port = `rotav${id}x${number}`
      const name = `rota-${id}-${agent}`
      ports.set(agent, port)
      appendFileSync(join(folder, 'undo'), `ip netns delete ${name}\n`)
      ip('netns', 'add', name)
      ip('link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
      ip('-n', name, 'address', 'add', `${subnet}.${number}/24`, 'dev', 'eth0')
      ip('-n', name, 'link', 'set', 'eth0', 'up')
      ip('-n', name, 'link', 'set', 'lo', 'up')
      ip('link', 'set', port, 'master', bridge)
      ip('link', 'set', port, 'up')
      return ['ip', 'netns', 'exec', name]
    },
    unplug: (agent) => ip('link', 'set', portOf(agent), 'nomaster'),
    plug: (agent) => ip('link', 'set', portOf(agent), 'master', bridge),
  }
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', [...args], { stdio: ['ignore', 'ignore', 'pipe'] })
}
