/**
 * The newest timeline that was seen of each cluster, kept over restarts: an old primary that comes back after a failover
 * says of itself that all is well, and must not be believed.
 *
 * N1. Once a server was used, no other cluster is until the process ends.
 * N2. What was seen is written down before the server is used.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { replaceFile } from '../../shared/replace-file.ts'
import type { SeenPrimary, ServerFacts } from './server-facts.ts'

export class SeenPrimaries {
  readonly #file: string | undefined
  readonly #timelines: Map<string, number>
  #current: string | undefined

  private constructor(timelines: Map<string, number>, file: string | undefined) {
    this.#timelines = timelines
    this.#file = file
  }

  /** Without a file they are forgotten with the process. */
  static async open(file?: string): Promise<SeenPrimaries> {
    return new SeenPrimaries(file === undefined ? new Map() : await readTimelines(file), file)
  }

  /** What a server that says this must be compared with. */
  of({ systemId }: Pick<ServerFacts, 'systemId'>): SeenPrimary | undefined {
    const known = this.#current ?? systemId
    const timeline = known === undefined ? undefined : this.#timelines.get(known)
    return known === undefined || timeline === undefined ? undefined : { systemId: known, timeline }
  }

  /** The server is going to be used. */
  async note({ systemId, timeline }: ServerFacts): Promise<void> {
    if (systemId === undefined || timeline === undefined) return
    this.#current = systemId
    if (timeline <= (this.#timelines.get(systemId) ?? 0)) return
    this.#timelines.set(systemId, timeline)
    if (this.#file === undefined) return
    await mkdir(dirname(this.#file), { recursive: true, mode: 0o700 })
    await replaceFile(this.#file, `${JSON.stringify(Object.fromEntries(this.#timelines))}\n`)
  }
}

async function readTimelines(file: string): Promise<Map<string, number>> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
  const entries = Object.entries(JSON.parse(text ?? '{}') as object)
  return new Map(entries.map(([systemId, timeline]) => [systemId, Number(timeline)]))
}
