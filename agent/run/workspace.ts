/**
 * The folder of one attempt. Its own files lie beside the working directory, so that a job which clears that one loses
 * no output.
 */
import { mkdirSync } from 'node:fs'
import { mkdir, readdir, rm } from 'node:fs/promises'
import type { OutputName } from '../report/log-budget.ts'
import { outputFiles } from '../warden/attempt-folder.ts'

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
