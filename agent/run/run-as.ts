/** Another user to run a job as; only root can do that. */
import { execFile } from 'node:child_process'
import { chmod, chown, open } from 'node:fs/promises'
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

/** Lets the user work in the workspace. The folders above must let others pass: `chmod o+x` the agent's data folder. */
export async function giveWorkspace(workspace: Workspace, user: JobUser): Promise<void> {
  const output = await open(workspace.output, 'a', 0o600)
  await output.close()
  await chmod(workspace.folder, 0o711)
  await chown(workspace.work, user.uid, user.gid)
  await chown(workspace.output, user.uid, user.gid)
}
