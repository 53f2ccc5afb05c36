/** `rota schedule lint`: what is wrong with, and what surprises in, the schedules of job files. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Schedule } from '../../../proto/gen/rota/v1/job.ts'
import { CATALOGUE } from '../../../shared/errors/catalogue.ts'
import { RotaError } from '../../../shared/errors/rota-error.ts'
import { isoSeconds, parseRfc3339 } from '../../../shared/rfc-3339.ts'
import { type LintFinding, lintSchedule, lintWarning } from '../../../shared/schedule/lint.ts'
import { findPileUp } from '../../../shared/schedule/lint-pile-up.ts'
import type { Handler, Invocation } from '../../action.ts'
import { EXIT } from '../../exit-codes.ts'
import { writeAll } from '../../host.ts'
import { usageError } from '../../option-values.ts'
import { isForMachine, presentJson, talk } from '../../output/present.ts'
import { escapeControls } from '../../output/text.ts'
import { type FilePlace, parseJobFile } from '../job/job-file.ts'
import { readText } from '../job/read-text.ts'

interface LintOptions {
  readonly file?: readonly string[]
  readonly from?: string
  readonly strict?: true
}

/** Of a place in a file; a file that cannot be read has none. */
interface Finding extends LintFinding, FilePlace {
  readonly file: string
}

const FILES_MAX = 10_000

/** Exit code 1 when there is an error, or with `--strict` anything at all; warnings alone are fine. */
export const lintSchedules: Handler<LintOptions, readonly []> = async (invocation, options) => {
  const { file: paths = [], from, strict } = options
  if (paths.length === 0)
    throw usageError('--file', 'is missing', 'Write rota schedule lint -f jobs/.')
  const now = from === undefined ? invocation.host.clock.now() : parseRfc3339(from)
  if (now === undefined) {
    throw usageError(
      '--from',
      `${JSON.stringify(from)} is not a time`,
      'Write it like 2026-11-30T22:15:00Z.',
    )
  }
  const files = (await Promise.all(paths.map(jobFiles))).flat()
  const linted: LintedFile[] = []
  for (const file of files) linted.push(await lintFile(invocation, file, now))
  const findings = [...linted.flatMap((each) => each.findings), ...pileUps(linted, now)]
  await show(invocation, files.length, findings)
  const isBad = findings.some(({ severity }) => severity === 'error' || strict === true)
  return isBad ? EXIT.error : undefined
}

/** The file itself, or all job files of a folder and what is below it, in order. */
async function jobFiles(path: string): Promise<string[]> {
  if (path === '-') return [path]
  const kind = await stat(path).catch(() => undefined)
  if (kind?.isDirectory() !== true) return [path]
  const names = await readdir(path, { recursive: true })
  const files = names.filter((name) => /\.(ya?ml|json)$/i.test(name)).sort()
  if (files.length > FILES_MAX) {
    throw usageError(
      '--file',
      `${path} has more than ${FILES_MAX} job files`,
      'Check its folders one by one.',
    )
  }
  return files.map((name) => join(path, name))
}

interface LintedFile {
  readonly file: string
  readonly findings: readonly Finding[]
  /** Undefined: it has none, or it is wrong. */
  readonly schedule: Schedule | undefined
  readonly place: FilePlace
}

const TOP: FilePlace = { line: 1, column: 1 }

async function lintFile(invocation: Invocation, file: string, now: Date): Promise<LintedFile> {
  try {
    const { job, placeOf } = parseJobFile(await readText(invocation.host, '--file', file), file)
    const schedule = job.spec?.schedule
    const found = lintSchedule(SCHEDULE, schedule, now)
    const isWrong = found.some(({ severity }) => severity === 'error')
    return {
      file,
      findings: found.map((finding) => ({ file, ...placeOf(finding.field), ...finding })),
      schedule: isWrong ? undefined : schedule,
      place: placeOf(SCHEDULE),
    }
  } catch (error) {
    if (!(error instanceof RotaError)) throw error
    const violations = error.violations.length > 0 ? error.violations : [{ ...error, field: file }]
    const findings = violations.map(({ field, reason, message, hint }): Finding => {
      const advice = hint ?? CATALOGUE[reason].hint
      const place = placeIn(field)
      return { file, ...place, severity: 'error', code: reason, field: '', message, hint: advice }
    })
    return { file, findings, schedule: undefined, place: TOP }
  }
}

const SCHEDULE = 'spec.schedule'

/** A job file that cannot be read says where in the field: `FILE:3:5`. */
function placeIn(field: string): FilePlace {
  const [, line, column] = /:(\d+):(\d+)$/.exec(field) ?? []
  return line === undefined ? TOP : { line: Number(line), column: Number(column) }
}

const NAMED_MAX = 3

/** Told once, at the first of them. */
function pileUps(linted: readonly LintedFile[], now: Date): Finding[] {
  const pile = findPileUp(
    linted.map(({ schedule }) => schedule),
    now,
  )
  const members = pile?.members.flatMap((index) => linted[index] ?? []) ?? []
  const [first] = members
  if (pile === undefined || first === undefined) return []
  const more = members.length - NAMED_MAX
  const names = members.slice(0, NAMED_MAX).map(({ file }) => file)
  const message = `${members.length} jobs are due in the minute of ${isoSeconds(pile.at)}: ${names.join(', ')} and ${more} more`
  return [{ file: first.file, ...first.place, ...lintWarning('PILE_UP', SCHEDULE, message) }]
}

async function show(
  invocation: Invocation,
  fileCount: number,
  findings: readonly Finding[],
): Promise<void> {
  if (isForMachine(invocation)) {
    await presentJson(invocation, {
      files: fileCount,
      findings: findings.map((each) => ({ ...each })),
    })
    return
  }
  const lines = findings.map(({ file, line, column, severity, code, field, message, hint }) => {
    const what = field === '' ? message : `${field}: ${message}`
    const text = `${file}:${line}:${column}: ${severity}: ${what}  [${code}]\n  hint: ${hint}`
    return text.split('\n').map(escapeControls).join('\n')
  })
  if (lines.length > 0) await writeAll(invocation.host.stdout, `${lines.join('\n')}\n`)
  const errors = findings.filter(({ severity }) => severity === 'error').length
  await talk(
    invocation,
    `${fileCount} files, ${errors} errors, ${findings.length - errors} warnings`,
  )
}
