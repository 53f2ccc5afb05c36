/** The sample jobs: job files in `examples/samples`, whose `${...}` are filled in. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Job } from '../../proto/gen/rota/v1/job.ts'
import { parseJobFile } from '../commands/job/job-file.ts'

const FOLDER = new URL('../../examples/samples/', import.meta.url)

/** What a sample may name. Any other `${...}` belongs to the shell and stays. */
export interface SamplePlaces {
  /** Folder of the samples' own files. */
  readonly samples: string
  /** Folder of the cluster's log files. */
  readonly logs: string
  /** `host:port` of the coordinator's HTTP. */
  readonly http_address: string
}

/** Dependencies come after what they depend on. Throws when a file is no job. */
export function readSamples(places: SamplePlaces): Job[] {
  const jobs = readdirSync(FOLDER)
    .filter((file) => file.endsWith('.yaml'))
    .sort()
    .map((file) => {
      const text = readFileSync(new URL(file, FOLDER), 'utf8')
      return parseJobFile(fillIn(text, places), fileURLToPath(new URL(file, FOLDER))).job
    })
  const isFree = ({ spec }: Job) => (spec?.dependencies ?? []).length === 0
  return [...jobs.filter(isFree), ...jobs.filter((job) => !isFree(job))]
}

/** Placeholders stand within double quotes, where YAML reads what JSON writes: no path can end the text early. */
export function fillIn(text: string, places: SamplePlaces): string {
  return text.replace(/\$\{(\w+)\}/g, (whole, name: string) =>
    isPlace(name, places) ? JSON.stringify(places[name]).slice(1, -1) : whole,
  )
}

function isPlace(name: string, places: SamplePlaces): name is keyof SamplePlaces {
  return Object.hasOwn(places, name)
}
