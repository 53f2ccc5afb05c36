import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rota } from '../../../support/cli.ts'
import { makeTemporaryFolder, type TemporaryFolder } from '../../../support/temporary-folder.ts'

const FROM = ['--from', '2026-11-20T10:00:00Z']

async function preview(...args: readonly string[]) {
  const { stdout, exitCode } = await rota(['schedule', 'preview', ...args, ...FROM, '-o', 'json'])
  expect(exitCode).toBe(0)
  return JSON.parse(stdout)
}

describe('rota schedule preview', () => {
  it('prints words, rule, warnings and times, without a coordinator', async () => {
    expect(await preview('30 2 * * *', '--tz', 'Europe/Paris', '--count', '2')).toEqual({
      description: 'Every day at 02:30, Europe/Paris',
      compiled: '30 2 * * *',
      warnings: [
        '2027-03-28 02:30 does not exist in Europe/Paris: runs once at 03:00.',
        '2027-10-31 02:30 comes twice in Europe/Paris: runs the first time only; the clock goes back at 03:00 to 02:00.',
      ],
      times: [
        { instant: '2026-11-21T01:30:00Z', local: '2026-11-21T02:30:00+01:00' },
        { instant: '2026-11-22T01:30:00Z', local: '2026-11-22T02:30:00+01:00' },
      ],
    })
  })

  it('follows the policies, and says so', async () => {
    const args = ['30 2 28 3 *', '--tz', 'Europe/Paris', '--count', '1', '--dst-gap']
    expect((await preview(...args, 'run-after')).times[0].instant).toBe('2027-03-28T01:00:00Z')
    expect((await preview(...args, 'shift')).times[0].instant).toBe('2027-03-28T01:30:00Z')
    const skip = await preview(...args, 'skip')
    expect(skip.times[0].instant).toBe('2028-03-28T00:30:00Z')
    expect(skip.warnings).toEqual(['2027-03-28 02:30 does not exist in Europe/Paris: skipped.'])
    const fold = ['30 2 31 10 *', '--tz', 'Europe/Paris', '--count', '2', '--dst-fold', 'both']
    const instants = (await preview(...fold)).times.map(
      ({ instant }: { instant: string }) => instant,
    )
    expect(instants).toEqual(['2027-10-31T00:30:00Z', '2027-10-31T01:30:00Z'])
  })

  it('shows what words are compiled to, and warns of what surprises', async () => {
    const words = await preview('every other tuesday', '--count', '2')
    expect(words).toMatchObject({
      compiled: '0 0 * * 2 every 2 weeks from 2026-11-24',
      times: [{ instant: '2026-11-24T00:00:00Z' }, { instant: '2026-12-08T00:00:00Z' }],
    })
    expect((await preview('0 0 13 * 5')).warnings).toEqual([
      'Day of month and weekday are both restricted, so either is enough, as in Vixie cron: on the 13th of the month or on Friday.',
    ])
    expect((await preview('0 0 */2 * 1')).warnings[0]).toContain('must both match')
    expect((await preview('0 0 31 * *')).warnings[0]).toContain('Months without a 31st have no run')
    expect((await preview('in 10 minutes')).warnings).toEqual([
      'It never runs again after 2026-11-20T10:10:00Z.',
    ])
    expect((await preview('*/30 2 * * *', '--tz', 'Europe/Paris')).warnings).toEqual([
      expect.stringContaining('has no run then'),
      expect.stringContaining('runs in both passes'),
    ])
  })

  it.each([
    [[''], 'CRON_INVALID', 'is blank'],
    [['* * * *'], 'CRON_INVALID', 'has 4 fields instead of 5 or 6'],
    [['0 0 31 2 *'], 'CRON_INVALID', 'names days that never come'],
    [['@every 500ms'], 'CRON_INVALID', 'is not a number of whole seconds'],
    [['2020-01-01T00:00:00Z'], 'SCHEDULE_NEVER_RUNS', 'has no due time after'],
    [['@daily', '--tz', 'Europe/Pariss'], 'TIME_ZONE_INVALID', 'Did you mean Europe/Paris'],
    [['every second tuesday'], 'SCHEDULE_AMBIGUOUS', 'every other tuesday'],
    [['every moday'], 'SCHEDULE_TEXT_INVALID', 'Did you mean "monday"?'],
    [['@daily', '--count', '0'], 'FIELD_INVALID', '--count'],
    [['@daily', '--dst-gap', 'shfit'], 'FIELD_INVALID', 'Did you mean shift?'],
    [[], 'FIELD_INVALID', 'is missing'],
  ])('refuses %j with a reason and a hint', async (args, reason, words) => {
    const { stdout, stderr, exitCode } = await rota(['schedule', 'preview', ...args, ...FROM])
    expect([stdout, exitCode]).toEqual(['', 2])
    expect(stderr).toContain(`[${reason}]`)
    expect(stderr).toContain(words)
    expect(stderr).toContain('hint:')
  })

  it('prints a table for people and instants for scripts', async () => {
    const args = ['schedule', 'preview', '0 0 1 * *', '--count', '1', ...FROM]
    expect((await rota(args)).stdout).toBe(
      'On the 1st of the month at 00:00, UTC\nrule: 0 0 1 * *\n\n2026-12-01T00:00:00Z  2026-12-01T00:00:00+00:00\n',
    )
    expect((await rota([...args, '-o', 'name'])).stdout).toBe('2026-12-01T00:00:00Z\n')
  })

  it('answers each line of stdin with one line, and a wrong one with its reason', async () => {
    const lines = [
      '{"expr":"30 2 28 3 *","tz":"Europe/Paris","from":"2026-11-20T00:00:00Z","count":1,"gap":"shift","fold":"both"}',
      '',
      'nope',
      '{"expr":"@daily","count":"x"}',
      '{"expr":"@daily","from":"yesterday"}',
      '{"expr":"@daily","tz":"Mars"}',
      '{"expr":5}',
      '[]',
      '{"expr":"@daily"}',
    ]
    const options = { stdin: lines.join('\r\n') }
    const { stdout, exitCode } = await rota(
      ['schedule', 'preview', '--stdin', '--count', '2', ...FROM],
      options,
    )
    const answers = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(exitCode).toBe(0)
    expect(answers.map(({ error, times }) => error?.reason ?? times.length)).toEqual([
      1,
      'MESSAGE_MALFORMED',
      'FIELD_INVALID',
      'MESSAGE_MALFORMED',
      'TIME_ZONE_INVALID',
      'MESSAGE_MALFORMED',
      'MESSAGE_MALFORMED',
      2,
    ])
    expect(answers[0].times).toEqual([
      { instant: '2027-03-28T01:30:00Z', local: '2027-03-28T03:30:00+02:00' },
    ])
  })
})

describe('rota schedule lint', () => {
  let folder: TemporaryFolder
  beforeAll(async () => {
    folder = await makeTemporaryFolder()
    mkdirSync(join(folder.path, 'deep'))
    const file = (name: string, schedule: string) =>
      writeFileSync(
        join(folder.path, name),
        `spec:\n  task:\n    shell: { command: date }\n${schedule}`,
      )
    file('right.yaml', '  schedule: { recurrences: [{ cron: "0 3 * * *" }] }\n')
    file('none.yaml', '')
    file(
      'deep/both.yml',
      '  schedule: { recurrences: [{ cron: "0 3 13 * 5" }, { text: daily }] }\n',
    )
  })
  afterAll(async () => folder.remove())

  it('finds nothing but warnings in right files', async () => {
    const { stdout, stderr, exitCode } = await rota([
      'schedule',
      'lint',
      '-f',
      folder.path,
      ...FROM,
    ])
    expect(exitCode).toBe(0)
    expect(stderr).toBe('3 files, 0 errors, 1 warnings\n')
    expect(stdout).toMatch(
      /both\.yml:4:29: warning: spec\.schedule\.recurrences\[0\]: Day of month and .* {2}\[DAYS_COMBINED\]\n {2}hint: /,
    )
    const strict = await rota(['schedule', 'lint', '-f', folder.path, ...FROM, '--strict'])
    expect(strict.exitCode).toBe(1)
  })

  it('tells every error of every file, and fails', async () => {
    writeFileSync(
      join(folder.path, 'wrong.json'),
      '{"spec":{"schedule":{"timeZone":"Europe/Pariss","recurrences":[{"cron":"0 25 * * *"},{"text":"every second tuesday"}]}}}',
    )
    writeFileSync(join(folder.path, 'broken.yaml'), 'spec:\n  schedul: {}\n')
    const { stdout, exitCode } = await rota([
      'schedule',
      'lint',
      '-f',
      folder.path,
      ...FROM,
      '-o',
      'json',
    ])
    expect(exitCode).toBe(1)
    const { files, findings } = JSON.parse(stdout)
    expect(files).toBe(5)
    expect(
      findings.map(
        ({ file, line, column, severity, code }: Record<string, string>) =>
          `${file?.split('/').at(-1)}:${line}:${column} ${severity} ${code}`,
      ),
    ).toEqual([
      'broken.yaml:2:3 error MESSAGE_MALFORMED',
      'both.yml:4:29 warning DAYS_COMBINED',
      'wrong.json:1:65 error CRON_INVALID',
      'wrong.json:1:87 error SCHEDULE_AMBIGUOUS',
      'wrong.json:1:22 error TIME_ZONE_INVALID',
    ])
  })

  it('tells of many files that are due in one minute, once', async () => {
    const crowded = await makeTemporaryFolder()
    for (let index = 0; index < 12; index++) {
      const text =
        'spec:\n  task: { shell: { command: date } }\n  schedule: { recurrences: [{ cron: "0 0 * * *" }] }\n'
      writeFileSync(join(crowded.path, `${String(index).padStart(2, '0')}.yaml`), text)
    }
    const { stdout } = await rota(['schedule', 'lint', '-f', crowded.path, ...FROM])
    await crowded.remove()
    expect(stdout).toMatch(
      /00\.yaml:3:3: warning: spec\.schedule: 12 jobs are due in the minute of 2026-11-21T00:00:00Z: .*00\.yaml, .* and 9 more {2}\[PILE_UP\]\n {2}hint: Write H/,
    )
    expect(stdout.match(/PILE_UP/g)).toHaveLength(1)
  })

  it('needs a path that is there', async () => {
    expect((await rota(['schedule', 'lint'])).exitCode).toBe(2)
    const missing = await rota(['schedule', 'lint', '-f', '/nonexistent/jobs'])
    expect(missing).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining('cannot be read'),
    })
  })
})
