import { describe, expect, it } from 'vitest'
import { parseJobFile } from '../../../../../cli/commands/job/job-file.ts'
import type { RotaError } from '../../../../../shared/errors/rota-error.ts'

const JOB = `
name: jobs/report
description: nightly
labels: {team: ops}
spec:
  task:
    shell:
      command: date
      env: &env {A: "1"}
  schedule:
    recurrences:
      - cron: "*/5 * * * *"
      - every: 90s
      - at: 2026-12-24T18:00:00Z
    time_zone: Europe/Paris
  retry: {kind: KIND_FIXED, maxRetries: 3, delay: 0.5s}
  guarantee: GUARANTEE_EXCLUSIVE
`

function mistakes(text: string): string[] {
  try {
    parseJobFile(text, 'job.yaml')
  } catch (error) {
    return (error as RotaError).violations.map(({ field, message }) => `${field}: ${message}`)
  }
  return []
}

describe('a job file', () => {
  it('is the JSON form of a job, in YAML', () => {
    const { job, fields } = parseJobFile(JOB, 'job.yaml')
    expect(fields).toEqual(['name', 'description', 'spec', 'labels'])
    expect(job).toMatchObject({
      name: 'jobs/report',
      spec: {
        task: { kind: { $case: 'shell', value: { command: 'date', env: { A: '1' } } } },
        schedule: {
          timeZone: 'Europe/Paris',
          recurrences: [
            { kind: { $case: 'cron' } },
            { kind: { $case: 'every', value: { seconds: 90n } } },
            { kind: { $case: 'at', value: new Date('2026-12-24T18:00:00Z') } },
          ],
        },
        retry: { kind: 2, maxRetries: 3, delay: { nanos: 500_000_000 } },
        guarantee: 2,
      },
    })
  })

  it('may be JSON, indented by tabs', () => {
    const json = JSON.stringify(
      { spec: { task: { handler: { handler: 'echo', payload: { a: [1, null] } } } } },
      null,
      '\t',
    )
    expect(parseJobFile(json, 'job.json').job.spec?.task?.kind).toEqual({
      $case: 'handler',
      value: { handler: 'echo', payload: { a: [1, null] } },
    })
  })

  it.each([
    ['spec:\n  tsk: {}\n', /^job\.yaml:2:3: unknown field "tsk" in spec\. Did you mean task\?/],
    [
      'spec:\n  schedule:\n    recurrences:\n      - corn: "@daily"\n',
      /^job\.yaml:4:9: unknown field "corn" in spec\.schedule\.recurrences\[0\]\. Did you mean cron\?/,
    ],
    [
      'spec: {task: {shell: {comand: date}}}',
      /^job\.yaml:1:23: unknown field "comand" in spec\.task\.shell\. Did you mean command\?/,
    ],
    ['zzz: 1', /^job\.yaml:1:1: unknown field "zzz" in a job\. It has name, /],
    ['spec:\n  timeout: 5m\n', /^job\.yaml:2:12: spec\.timeout: .*Write seconds, e\.g\. 90s/],
    ['spec:\n  guarantee: exclusive\n', /^job\.yaml:2:14: spec\.guarantee: .*GUARANTEE_EXCLUSIVE/],
    ['description: 5\n', /^job\.yaml:1:14: description: .*Put it in quotes/],
    ['tags: ops\n', /^job\.yaml:1:7: tags: /],
    ['spec: 5\n', /^job\.yaml:1:7: spec: /],
    [
      'spec:\n  task: {shell: {command: a}, api: {url: b}}\n',
      /^job\.yaml:2:31: spec\.task: api cannot stand beside shell/,
    ],
    ['labels: {a: 1}\n', /^job\.yaml:1:9: labels: /],
    ['? [a, b]\n: 1\n', /^job\.yaml:1:3: a field is named by a word/],
    ['a: [\n', /^job\.yaml:2:1: /],
    ['a: 1\na: 2\n', /^job\.yaml:2:1: .*unique/],
    ['- a\n', /^job\.yaml:1:1: is no job/],
    ['', /^job\.yaml:1:1: is no job/],
    ['spec: {}\n---\nspec: {}\n', /^job\.yaml:2:1: /],
  ])('says where %j is wrong', (text, message) => {
    const found = mistakes(text)
    expect(found[0]).toMatch(message)
  })

  it('names every mistake at once', () => {
    expect(mistakes('spec:\n  tsk: {}\n  timeout: x\n  retries: 3\n')).toHaveLength(3)
  })

  it('follows anchors, and refuses a file that grows without end', () => {
    const text = 'labels: &l {a: "1"}\nspec: {task: {shell: {command: date, env: *l}}}\n'
    expect(parseJobFile(text, 'job.yaml').job.spec?.task?.kind?.value).toMatchObject({
      env: { a: '1' },
    })
    const levels = Array.from(
      { length: 12 },
      (_, i) => `a${i}: &a${i} [${i === 0 ? '1' : `*a${i - 1},`.repeat(10)}]`,
    )
    const bomb = `spec: {task: {handler: {payload: {${levels.join(', ')}}}}}`
    expect(mistakes(bomb)).toEqual([expect.stringMatching(/^job\.yaml: Excessive alias/)])
    const within = 'spec: {task: &t {workflow: {steps: [{id: a, task: *t}]}}}'
    expect(mistakes(within)[0]).toContain('nested too deep')
    const value = 'labels: {a: &v "1", b: *v}'
    expect(parseJobFile(value, 'job.yaml').job.labels).toEqual({ a: '1', b: '1' })
  })

  it('takes null as not given', () => {
    expect(parseJobFile('{description, spec: {task}}', 'job.yaml').fields).toContain('spec')
    expect(parseJobFile('description: null\nspec:\n  schedule:\n', 'job.yaml').job).toMatchObject({
      description: '',
    })
  })
})
