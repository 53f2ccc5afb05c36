/**
 * A control group (cgroup v2) per attempt, where the host lets us make some: it holds whatever the attempt starts, and
 * all of it is killed at once.
 *
 *   <ours>/rota.<data folder>/<attempt>
 *
 * H1. A process is born inside: the warden steps into the group, spawns, and steps back, in one turn. A child that
 *     joined after its start could have forked before.
 * H2. After `end` nothing of the attempt lives and the group is removed.
 * H3. Nothing that fails here fails an attempt: then its process group and the mark in its environment must do.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type Clock, sleep } from '../../shared/clock.ts'
import type { ProcessUsage } from './messages.ts'

const POLL_MS = 5
/** Killed processes are gone soon; one that hangs in the kernel is left behind, in ms. */
const EMPTY_MS = 5_000

export class Cgroups {
  readonly #clock: Clock
  /** The group that this process was in when it started. */
  readonly #home: string
  readonly #folder: string

  private constructor(clock: Clock, home: string, folder: string) {
    this.#clock = clock
    this.#home = home
    this.#folder = folder
  }

  /** For the attempts of this data folder; undefined where groups cannot be made. */
  static open(dataDir: string, clock: Clock): Cgroups | undefined {
    const home = findHome()
    if (home === undefined) return undefined
    const { dev, ino } = statSync(dataDir)
    const cgroups = new Cgroups(clock, home, join(home, `rota.${dev}-${ino}`))
    const canMake = cgroups.#make()
    cgroups.#removeUnused()
    return canMake ? cgroups : undefined
  }

  /** Makes the group of an attempt; undefined when that is not possible. */
  create(key: string): Cgroup | undefined {
    const cgroup = this.#cgroup(key)
    const make = () => attempt(() => mkdirSync(cgroup.folder))
    return make() || (this.#make() && make()) ? cgroup : undefined
  }

  /** Nothing is made any more: what is above the groups of attempts goes, too. */
  close(): void {
    this.#removeUnused()
  }

  /** The groups that are there, e.g. of a warden that was killed. */
  list(): readonly { readonly key: string; readonly cgroup: Cgroup }[] {
    if (!existsSync(this.#folder)) return []
    const folders = readdirSync(this.#folder, { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    )
    return folders.map(({ name: key }) => ({ key, cgroup: this.#cgroup(key) }))
  }

  #cgroup(key: string): Cgroup {
    return new Cgroup({
      clock: this.#clock,
      home: this.#home,
      folder: join(this.#folder, key),
    })
  }

  #make(): boolean {
    return attempt(() => {
      if (mkdirSync(this.#folder, { recursive: true }) === undefined) return
      // Only so is there a peak of memory to be read; not every host hands this controller on.
      attempt(() => writeFileSync(join(this.#folder, 'cgroup.subtree_control'), '+memory'))
    })
  }

  /** Refused by the system while it is used. */
  #removeUnused(): void {
    attempt(() => rmdirSync(this.#folder))
  }
}

export interface CgroupOptions {
  readonly clock: Clock
  readonly home: string
  readonly folder: string
}

export class Cgroup {
  readonly folder: string
  readonly #clock: Clock
  readonly #home: string

  constructor({ clock, folder, home }: CgroupOptions) {
    this.#clock = clock
    this.#home = home
    this.folder = folder
  }

  /** What `spawn` starts is born inside (H1). Outside when this process may not step in (H3). */
  enclose<T>(spawn: () => T): T {
    if (!enter(this.folder)) return spawn()
    try {
      return spawn()
    } finally {
      enter(this.#home)
    }
  }

  /** KILL for all at once. */
  kill(): void {
    const members = this.#members()
    // Stepping back may have failed.
    const isSafe = existsSync(join(this.folder, 'cgroup.kill')) && !members.includes(process.pid)
    if (isSafe && attempt(() => writeFileSync(join(this.folder, 'cgroup.kill'), '1'))) return
    for (const pid of members) if (pid !== process.pid) attempt(() => process.kill(pid, 'SIGKILL'))
  }

  /** Kills what is left, waits until it is gone, and removes the group (H2). */
  async end(): Promise<void> {
    const endMs = this.#clock.monotonicMs() + EMPTY_MS
    // The system removes no group in which something lives.
    while (!this.#remove() && this.#clock.monotonicMs() < endMs) {
      // The job may have made groups of its own below.
      if (!this.#isPopulated()) return void this.#remove()
      this.kill()
      await sleep(this.#clock, POLL_MS)
    }
  }

  /** Of all that ran inside, its children included. */
  usage(): ProcessUsage {
    const cpuUs = /^usage_usec (\d+)$/m.exec(this.#read('cpu.stat'))?.[1]
    const hasPeak = existsSync(join(this.folder, 'memory.peak'))
    const peakMemoryBytes = hasPeak ? Number(this.#read('memory.peak')) : 0
    return {
      ...(cpuUs === undefined ? {} : { cpuMs: Math.round(Number(cpuUs) / 1_000) }),
      ...(peakMemoryBytes > 0 ? { peakMemoryBytes } : {}),
    }
  }

  #remove(): boolean {
    return attempt(() => rmdirSync(this.folder))
  }

  #members(): number[] {
    return this.#read('cgroup.procs').split('\n').filter(Boolean).map(Number)
  }

  #isPopulated(): boolean {
    return /^populated 1$/m.test(this.#read('cgroup.events'))
  }

  #read(file: string): string {
    return readText(join(this.folder, file))
  }
}

/** The folder of the group that this process is in; undefined without cgroup v2. */
function findHome(): string | undefined {
  const path = /^0::(.*)$/m.exec(readText('/proc/self/cgroup'))?.[1]
  if (path === undefined) return undefined
  const mounts = readText('/proc/self/mounts').split('\n')
  for (const mount of mounts) {
    const [, point = '', type] = mount.split(' ')
    const home = join(point, path)
    // A mount of another namespace or of a part of the hierarchy shows other groups under this path.
    const isOurs = () => readText(join(home, 'cgroup.procs')).split('\n').includes(`${process.pid}`)
    if (type === 'cgroup2' && isOurs()) return home
  }
  return undefined
}

/** Moves this process. */
function enter(folder: string): boolean {
  return attempt(() => writeFileSync(join(folder, 'cgroup.procs'), '0'))
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** False when it failed. */
function attempt(act: () => void): boolean {
  try {
    act()
    return true
  } catch {
    return false
  }
}
