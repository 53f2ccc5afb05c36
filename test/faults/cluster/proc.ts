/** What Linux tells of processes, and signals to them. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** False when there is no such process any more. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false
    throw error
  }
}

export function allPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

/** Its arguments; none for a zombie, or one that has gone. */
export function argumentsOf(pid: number): string[] {
  return readText(`/proc/${pid}/cmdline`).split('\0').filter(Boolean)
}

/** `NAME=value` of its environment as it was started; none when it has gone. */
export function environmentOf(pid: number): string[] {
  return readText(`/proc/${pid}/environ`).split('\0').filter(Boolean)
}

export function workingFolderOf(pid: number): string {
  return linkOf(`/proc/${pid}/cwd`)
}

export function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readText(`/proc/${pid}/status`))?.[1] ?? 0) * 1024
}

export function descriptorCount(pid: number): number {
  return descriptorsOf(pid).length
}

/** Where the local TCP port `localPort` that talks to `peerPort` belongs: the first of `pids` that holds it. */
export function ownerOfConnection(
  pids: readonly number[],
  { localPort, peerPort }: { readonly localPort: number; readonly peerPort: number },
): number | undefined {
  const inode = inodeOf(localPort, peerPort)
  if (inode === undefined) return undefined
  return pids.find((pid) => descriptorsOf(pid).includes(`socket:[${inode}]`))
}

function inodeOf(localPort: number, peerPort: number): string | undefined {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0')
  for (const line of readText('/proc/net/tcp').split('\n')) {
    const [, local, peer, , , , , , , inode] = line.trim().split(/\s+/)
    if (local?.endsWith(`:${hex(localPort)}`) && peer?.endsWith(`:${hex(peerPort)}`)) return inode
  }
  return undefined
}

function descriptorsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`
  try {
    return readdirSync(folder).map((name) => linkOf(`${folder}/${name}`))
  } catch {
    return []
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
