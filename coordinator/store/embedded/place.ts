/**
 * Where the embedded PostgreSQL of a data folder lies.
 *
 * An ordinary user keeps everything in `<data>/postgres` and runs the binaries in node_modules. As root the server runs
 * as `nobody`, who often may not pass the home folder or the clone: then data and binaries go under `/var/lib/rota`,
 * and `<data>/postgres/location.json` remembers where.
 *
 * P1. Data that exists is never left behind: a start finds it or fails.
 * P2. The data folder and the socket folder belong to the user of the server and are closed to others.
 */
import { createHash } from 'node:crypto'
import {
  access,
  chmod,
  chown,
  constants,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  stat,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Clock } from '../../../shared/clock.ts'
import { RotaError } from '../../../shared/errors/rota-error.ts'
import type { Logger } from '../../../shared/logger.ts'
import type { Random } from '../../../shared/random.ts'
import { replaceFile } from '../../../shared/replace-file.ts'
import { areUsableBy, completeLinks, copyBinaries, findBinaries } from './binaries.ts'
import { ENTER, findNobody, isReachable, type ServerUser } from './server-user.ts'

/** Where one server finds what it needs. */
export interface Place {
  /** Undefined: the server runs as we do. */
  readonly user: ServerUser | undefined
  /** Holds `bin`, `lib` and `share`. */
  readonly binaries: string
  /** The folder that PostgreSQL calls PGDATA; `initialise` makes it. */
  readonly data: string
  readonly socketFolder: string
}

/** What the choice depends on. */
export interface PlaceOptions {
  /** `<data>/postgres`, without symlinks in its path. */
  readonly home: string
  /** Where root puts what must lie outside of the home folder. */
  readonly systemFolder: string
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** Default of `PlaceOptions.systemFolder`. */
export const SYSTEM_FOLDER = '/var/lib/rota'

const SOCKET_FILE = '.s.PGSQL.5432'

/** Bytes of a socket path: `sun_path` without its final NUL, on macOS, which has less room than Linux. */
const SOCKET_PATH_BYTES_MAX = 103

/** Finds or chooses the place and makes its folders, except `data`. */
export async function preparePlace(options: PlaceOptions): Promise<Place> {
  const isRoot = process.getuid?.() === 0
  const existing = await findExisting(options.home)
  const user = isRoot ? await chooseUser(existing) : undefined
  const folder = existing ?? (await chooseFolder(user, options))
  if (user !== undefined && !(await isReachable(folder, user, ENTER))) {
    throw unreachable(folder, user)
  }
  const place = {
    user,
    binaries: await chooseBinaries(user, folder, options),
    data: join(folder, 'data'),
    socketFolder: chooseSocketFolder(folder),
  }
  await claimFolder(place.socketFolder, user)
  return place
}

/** Makes `folder` with mode 0700 for `user`; refuses one that is another user's. */
export async function claimFolder(folder: string, user: ServerUser | undefined): Promise<void> {
  await mkdir(folder, { mode: 0o700 }).catch(ignoreExisting)
  const found = await lstat(folder)
  const ownUid = process.getuid?.()
  if (!found.isDirectory() || (found.uid !== ownUid && found.uid !== user?.uid)) {
    throw new RotaError('DATABASE_UNAVAILABLE', `${folder} belongs to somebody else`, {
      hint: 'Remove it, or choose a shorter --data-dir.',
    })
  }
  if (user !== undefined) await chown(folder, user.uid, user.gid)
  await chmod(folder, 0o700)
}

/** The socket lies beside the data, or in /tmp when that path is too long for a socket. */
export function chooseSocketFolder(folder: string): string {
  const beside = join(folder, 'run')
  if (Buffer.byteLength(join(beside, SOCKET_FILE)) <= SOCKET_PATH_BYTES_MAX) return beside
  return `/tmp/rota-${createHash('sha256').update(folder).digest('hex').slice(0, 16)}`
}

/** The folder of a server that was set up before (P1). */
async function findExisting(home: string): Promise<string | undefined> {
  const file = join(home, 'location.json')
  const text = await readFile(file, 'utf8').catch(ignoreMissing)
  if (text === undefined) {
    return (await lstat(join(home, 'data')).catch(ignoreMissing)) === undefined ? undefined : home
  }
  const { folder } = JSON.parse(text)
  if ((await lstat(folder).catch(ignoreMissing)) === undefined) {
    throw new RotaError(
      'DATABASE_UNAVAILABLE',
      `the PostgreSQL data is gone: ${file} says ${folder}`,
      {
        hint: `Put it back, or remove ${dirname(file)} to begin with an empty database.`,
      },
    )
  }
  return folder
}

/** Whoever owns the data goes on serving it. */
async function chooseUser(existing: string | undefined): Promise<ServerUser> {
  if (existing !== undefined) {
    const owner = await stat(join(existing, 'data')).catch(ignoreMissing)
    if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid }
  }
  return findNobody()
}

async function chooseFolder(user: ServerUser | undefined, options: PlaceOptions): Promise<string> {
  const { home } = options
  if (user === undefined || (await isReachable(home, user, ENTER))) return home
  const folder = (await makeSystemFolder(user, options)) ?? (await makeTemporaryFolder(options))
  await replaceFile(join(home, 'location.json'), `${JSON.stringify({ folder }, null, 2)}\n`)
  return folder
}

async function makeSystemFolder(
  user: ServerUser,
  options: PlaceOptions,
): Promise<string | undefined> {
  const parent = await openSystemFolder(user, options)
  if (parent === undefined) return undefined
  const folder = join(parent, options.random.bytes(8).toString('hex'))
  await mkdir(folder)
  // Not by mkdir, which the umask narrows.
  await chmod(folder, 0o711)
  // For a person who wonders what this is.
  await writeFile(join(folder, 'used-by'), `${options.home}\n`)
  return folder
}

async function makeTemporaryFolder({ logger, systemFolder }: PlaceOptions): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'rota-')))
  await chmod(folder, 0o711)
  logger.warn({ folder, systemFolder }, 'the database lies in a temporary folder')
  return folder
}

/** In place where `user` can run them, else a copy: shared by all data folders if possible. */
async function chooseBinaries(
  user: ServerUser | undefined,
  folder: string,
  options: PlaceOptions,
): Promise<string> {
  const found = await findBinaries(process.platform, process.arch)
  const isComplete = await completeLinks(found.folder)
  if (isComplete && (user === undefined || (await areUsableBy(found.folder, user)))) {
    return found.folder
  }
  const shared = user === undefined ? undefined : await openSystemFolder(user, options)
  return copyBinaries(found, shared ?? folder, options)
}

/** Undefined when we cannot write there, or `user` cannot pass. */
async function openSystemFolder(
  user: ServerUser,
  { systemFolder }: PlaceOptions,
): Promise<string | undefined> {
  try {
    const created = await mkdir(systemFolder, { recursive: true })
    if (created !== undefined) await chmod(systemFolder, 0o755)
    await access(systemFolder, constants.W_OK)
  } catch {
    return undefined
  }
  return (await isReachable(systemFolder, user, ENTER)) ? systemFolder : undefined
}

function unreachable(folder: string, user: ServerUser): RotaError {
  return new RotaError(
    'DATABASE_UNAVAILABLE',
    `the user of PostgreSQL (uid ${user.uid}) may not enter ${folder}`,
    { hint: 'Let others pass the folders above it: chmod o+x.' },
  )
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
