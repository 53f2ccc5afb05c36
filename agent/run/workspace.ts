/**
 * The folder of one attempt. Its own files lie beside the working directory, so that a job which clears that one loses
 * no output.
 */
import { mkdirSync } from 'node:fs'
import { mkdir, readdir, rm } from 'node:fs/promises'
import type { OutputName } from '../report/log-budget.ts'
import { attemptFolder } from '../warden/attempt-folder.ts'

export interface Workspace {
  readonly folder: string
  /** Working directory of the task, unless it names another one. */
  readonly work: string
  /** What the task wrote. */
  readonly logs: Readonly<Record<OutputName, string>>
  /** `$ROTA_OUTPUT`. */
  readonly output: string
  /** Source of an inline script. */
  readonly script: string
}

/** Where the files of attempt `key` lie under `attemptsDir`. */
export function workspaceOf(attemptsDir: string, key: string): Workspace {
  const { folder, stdout, stderr } = attemptFolder(attemptsDir, key)
  return {
    folder,
    work: `${folder}/work`,
    logs: { stdout, stderr },
    output: `${folder}/output`,
    script: `${folder}/script`,
  }
}

export async function createWorkspace(workspace: Workspace): Promise<void> {
  await mkdir(workspace.work, { recursive: true, mode: 0o700 })
}

/** The same for who cannot wait. */
export function makeWorkspace(workspace: Workspace): void {
  mkdirSync(workspace.work, { recursive: true, mode: 0o700 })
}

export async function removeWorkspace(workspace: Workspace): Promise<void> {
  await rm(workspace.folder, { recursive: true, force: true, maxRetries: 2 })
}

/** Keys of the attempts that have a folder. */
export async function listWorkspaces(attemptsDir: string): Promise<readonly string[]> {
  return readdir(attemptsDir).catch(() => [])
}
