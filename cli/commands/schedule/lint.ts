/** `rota schedule lint`: what is wrong with, and what surprises in, the schedules of job files. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CATALOGUE } from '../../../shared/errors/catalogue.ts'
import { RotaError } from '../../../shared/errors/rota-error.ts'
import { parseRfc3339 } from '../../../shared/rfc-3339.ts'
import { lintSchedule } from '../../../shared/schedule/lint.ts'
import type { Handler, Invocation } from '../../action.ts'
import { EXIT } from '../../exit-codes.ts'
import { writeAll } from '../../host.ts'
import { usageError } from '../../option-values.ts'
import { isForMachine, presentJson, talk } from '../../output/present.ts'
import { escapeControls } from '../../output/text.ts'
import { parseJobFile } from '../job/job-file.ts'
import { readText } from '../job/read-text.ts'

interface LintOptions {
  readonly file?: readonly string[]
  readonly from?: string
}

interface Finding {
  readonly file: string
  readonly level: 'error' | 'warning'
  readonly field: string
  readonly reason: string
  readonly message: string
  readonly hint: string
}

const FILES_MAX = 10_000

/** Exit code 1 when there is an error; warnings alone are fine. */
export const lintSchedules: Handler<LintOptions, readonly []> = async (invocation, options) => {
  const { file: paths = [], from } = options
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
  const findings: Finding[] = []
  for (const file of files) findings.push(...(await lintFile(invocation, file, now)))
  await show(invocation, files.length, findings)
  return findings.some(({ level }) => level === 'error') ? EXIT.error : undefined
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

async function lintFile(invocation: Invocation, file: string, now: Date): Promise<Finding[]> {
  try {
    const { job } = parseJobFile(await readText(invocation.host, '--file', file), file)
    return lintSchedule('spec.schedule', job.spec?.schedule, now).map((finding) => ({
      file,
      ...finding,
    }))
  } catch (error) {
    if (!(error instanceof RotaError)) throw error
    const violations = error.violations.length > 0 ? error.violations : [{ ...error, field: file }]
    return violations.map(({ field, reason, message, hint }) => {
      return { file, level: 'error', field, reason, message, hint: hint ?? CATALOGUE[reason].hint }
    })
  }
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
  const lines = findings.map(({ file, level, field, message, hint }) => {
    const place = field.startsWith(file) ? field : `${file}: ${field}`
    const advice = level === 'error' ? `\n  hint: ${hint}` : ''
    return `${level}: ${place}: ${message}${advice}`.split('\n').map(escapeControls).join('\n')
  })
  if (lines.length > 0) await writeAll(invocation.host.stdout, `${lines.join('\n')}\n`)
  const errors = findings.filter(({ level }) => level === 'error').length
  await talk(
    invocation,
    `${fileCount} files, ${errors} errors, ${findings.length - errors} warnings`,
  )
}
