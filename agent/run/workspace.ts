/**
 * The folder of one attempt. Its own files lie beside the working directory, so that a job which clears that one loses
 * no output.
 */
import { lstatSync, mkdirSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import type { OutputName } from '../report/log-budget.ts'
import { outputFiles } from '../warden/attempt-folder.ts'

/** To free a larger file may take a while, in bytes. */
const SMALL_BYTES = 1024 * 1024
/** More than an attempt has files of its own. */
const FEW = 8

/** Only names: a handler that writes nothing needs none of them, so each is made when it is asked for. */
export class Workspace {
  readonly folder: string

  constructor(folder: string) {
    this.folder = folder
  }

  /** Working directory of the task, unless it names another one. */
  get work(): string {
    return `${this.folder}/work`
  }

  /** What the task wrote. */
  get logs(): Readonly<Record<OutputName, string>> {
    return outputFiles(this.folder)
  }

  /** `$ROTA_OUTPUT`. */
  get output(): string {
    return `${this.folder}/output`
  }

  /** Source of an inline script. */
  get script(): string {
    return `${this.folder}/script`
  }
}

/** Where the files of attempt `key` lie under `attemptsDir`. */
export function workspaceOf(attemptsDir: string, key: string): Workspace {
  return new Workspace(`${attemptsDir}/${key}`)
}

/** At once, for a trip through the thread pool takes ten times as long as these two folders. */
export function makeWorkspace(workspace: Workspace): void {
  mkdirSync(workspace.work, { recursive: true, mode: 0o700 })
}

export async function removeWorkspace(workspace: Workspace): Promise<void> {
  if (removeSmall(workspace)) return
  await rm(workspace.folder, { recursive: true, force: true, maxRetries: 2 })
}

/** At once, when the task has left nothing of its own in it; false when something is still there. */
function removeSmall({ folder, work }: Workspace): boolean {
  try {
    rmdirSync(work)
    const files = readdirSync(folder).map((name) => `${folder}/${name}`)
    const isSmall = (file: string) => {
      const stats = lstatSync(file)
      return stats.isFile() && stats.size <= SMALL_BYTES
    }
    if (files.length > FEW || !files.every(isSmall)) return false
    for (const file of files) unlinkSync(file)
    rmdirSync(folder)
    return true
  } catch {
    return false
  }
}

/** Keys of the attempts that have a folder. */
export async function listWorkspaces(attemptsDir: string): Promise<readonly string[]> {
  return readdir(attemptsDir).catch(() => [])
}
