/** Makes the data folder of an embedded server: whole, or not at all. */
import { execFile } from 'node:child_process'
import { chown, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { RotaError } from '../../../shared/errors/rota-error.ts'
import type { Random } from '../../../shared/random.ts'
import { claimFolder, type Place } from './place.ts'

/** The one role of the server; it owns everything. */
export const SUPERUSER = 'rota'

/** How a data folder is set up. */
export interface InitialiseOptions {
  readonly password: string
  readonly random: Random
  /** False: the files need not survive a power failure. */
  readonly isDurable: boolean
}

/** Runs initdb under a temporary name and renames; does nothing when the data folder exists. */
export async function initialise(place: Place, options: InitialiseOptions): Promise<void> {
  if (await exists(place.data)) return
  await removeDrafts(place.data)
  const draft = `${place.data}.draft-${options.random.bytes(4).toString('hex')}`
  const passwordFile = `${draft}.password`
  try {
    await claimFolder(draft, place.user)
    await writeFile(passwordFile, options.password, { mode: 0o600, flag: 'wx' })
    if (place.user !== undefined) await chown(passwordFile, place.user.uid, place.user.gid)
    await runInitdb(place, [
      `--pgdata=${draft}`,
      `--pwfile=${passwordFile}`,
      ...(options.isDurable ? [] : ['--no-sync']),
    ])
    await rename(draft, place.data)
  } finally {
    await removeDrafts(place.data)
  }
}

async function runInitdb(place: Place, args: readonly string[]): Promise<void> {
  const always = [
    `--username=${SUPERUSER}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    // Sorts by code point, but knows the letters of all languages.
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--no-instructions',
  ]
  try {
    await promisify(execFile)(join(place.binaries, 'bin', 'initdb'), [...always, ...args], {
      // The working folder of the coordinator may be closed to the server's user.
      cwd: '/',
      env: {},
      ...place.user,
    })
  } catch (cause) {
    const message = cause instanceof Error ? cause.message.trim() : String(cause)
    throw new RotaError(
      'DATABASE_UNAVAILABLE',
      `the embedded PostgreSQL cannot be set up: ${message}`,
      {
        hint: 'Mend what the message names, or set DATABASE_URL to a PostgreSQL of your own.',
        cause,
      },
    )
  }
}

/** What a start that was killed in the middle has left. */
async function removeDrafts(data: string): Promise<void> {
  for (const name of await readdir(dirname(data))) {
    if (!name.startsWith(`${basename(data)}.draft-`)) continue
    await rm(join(dirname(data), name), { recursive: true, force: true })
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}
