/** Another user to run a job as; only root can do that. */
import { execFile } from 'node:child_process'
import { chmod, chown, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import type { Workspace } from './workspace.ts'

export interface JobUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

export type UserLookup =
  /** The job runs as the agent itself. */
  | { readonly kind: 'self' }
  | { readonly kind: 'found'; readonly user: JobUser }
  | { readonly kind: 'refused'; readonly why: string }

const USER_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}\$?$/
const LOOKUP_TIMEOUT_MS = 5_000

const run = promisify(execFile)

/** Who `runAs` is on this host. getent knows users of directories too, not only those of /etc/passwd. */
export async function lookUpUser(runAs: string): Promise<UserLookup> {
  if (runAs === '') return { kind: 'self' }
  if (process.getuid?.() !== 0) {
    return refused(`run_as ${runAs}: the agent of this worker does not run as root`)
  }
  if (!USER_NAME.test(runAs)) return refused(`run_as ${runAs}: not a user name`)
  try {
    const { stdout } = await run('getent', ['passwd', runAs], { timeout: LOOKUP_TIMEOUT_MS })
    const [name = '', , uid, gid, , home = '/'] = stdout.trim().split(':')
    return { kind: 'found', user: { name, uid: Number(uid), gid: Number(gid), home } }
  } catch {
    return refused(`run_as ${runAs}: there is no such user on this worker`)
  }
}

function refused(why: string): UserLookup {
  return { kind: 'refused', why }
}

/** Lets the user work in the workspace; answers the folder above it that keeps the user out, if any. */
export async function giveWorkspace(
  workspace: Workspace,
  user: JobUser,
): Promise<string | undefined> {
  const output = await open(workspace.output, 'a', 0o600)
  await output.close()
  await chmod(workspace.folder, 0o711)
  await chown(workspace.work, user.uid, user.gid)
  await chown(workspace.output, user.uid, user.gid)
  // There is one only when the script is inline.
  await chown(workspace.script, user.uid, user.gid).catch(() => {})
  return findClosed(workspace.folder, user)
}

/** The first folder from here up that the user may not pass. */
async function findClosed(folder: string, user: JobUser): Promise<string | undefined> {
  const { mode, uid, gid } = await stat(folder)
  const passBit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001
  if ((mode & passBit) === 0) return folder
  const parent = dirname(folder)
  return parent === folder ? undefined : findClosed(parent, user)
}
