import { expect, it } from 'vitest'
import { fillIn, readSamples } from '../../../../cli/dev/sample-file.ts'

const places = {
  samples: `/data/"it's" a folder\\`,
  logs: '/data/logs',
  http_address: '127.0.0.1:7480',
}
const samples = readSamples(places)
const sample = (id: string) => samples.find(({ name }) => name === `jobs/samples.${id}`)?.spec

it('fills in the places that it knows and leaves the rest to the shell', () => {
  const text = (logs: string) => [`"${logs}"`, '$', '{HOME} $logs $', '{toString}'].join('')
  expect(fillIn(text(['$', '{logs}'].join('')), places)).toBe(text('/data/logs'))
})

it('keeps a path with quotes and backslashes whole', () => {
  const { task } = sample('disk-usage')!
  expect(task?.kind?.$case === 'shell' && task.kind.value.env['FOLDER']).toBe(places.samples)
})

it('has a job of each kind that needs no code of its own', () => {
  const kinds = new Set(samples.map(({ spec }) => spec?.task?.kind?.$case))
  expect(kinds).toEqual(new Set(['shell', 'script', 'api']))
})

it('checks the coordinator that runs here', () => {
  const { task } = sample('http-check')!
  expect(task?.kind?.$case === 'api' && task.kind.value.url).toBe('http://127.0.0.1:7480/healthz')
})

it('has one that is due every 10 seconds', () => {
  const recurrences = samples.flatMap(({ spec }) => spec?.schedule?.recurrences ?? [])
  const crons = recurrences.map(({ kind }) => kind?.$case === 'cron' && kind.value)
  expect(crons).toContain('*/10 * * * * *')
})

it('puts a job after those that it depends on', () => {
  const names = samples.map(({ name }) => name)
  expect(sample('host-report')?.dependencies).toHaveLength(2)
  for (const { name, spec } of samples) {
    for (const { job } of spec?.dependencies ?? []) {
      expect(names.indexOf(job)).toBeGreaterThanOrEqual(0)
      expect(names.indexOf(job)).toBeLessThan(names.indexOf(name))
    }
  }
})
