import {
  CatchUp_Policy,
  Guarantee,
  Job,
  JobState,
  type ScriptTask,
  type ShellTask,
} from '../../../proto/gen/rota/v1/job.ts'
import { GetJobRequest, JobServiceService } from '../../../proto/gen/rota/v1/job_service.ts'
import { assert } from '../../../shared/assert.ts'
import { durationToMs, formatDurationMs } from '../../../shared/duration.ts'
import type { Handler } from '../../action.ts'
import { toId, toName } from '../../names.ts'
import { type Detail, renderDetails } from '../../output/details.ts'
import { present } from '../../output/present.ts'
import type { Screen } from '../../output/screen.ts'
import { exactTime } from '../../output/time.ts'
import { paintState, word } from '../../words.ts'
import {
  describeDependencies,
  describeKind,
  describeOverlap,
  describeRecurrence,
  describeRetry,
  describeTask,
} from './describe.ts'

export const getJob: Handler<object, readonly [string]> = async (invocation, _options, name) => {
  const api = await invocation.connect()
  const request = GetJobRequest.fromPartial({ name: toName('jobs', name) })
  const { job } = await api.call(JobServiceService.getJob, request)
  assert(job !== undefined, 'GetJob answered without a job')
  await present(invocation, {
    answer: { typeName: 'rota.v1.Job', codec: Job, message: job },
    names: () => [job.name],
    text: (screen) => renderDetails([...aboutLines(job, screen), ...specLines(job)], screen.width),
  })
}

function aboutLines(job: Job, screen: Screen): Detail[] {
  const at = (time: Date | undefined) => time && exactTime(time, screen.now)
  const state = word(JobState, job.state)
  return [
    ['job', toId(job.name)],
    ['description', job.description],
    [
      'state',
      [state, job.pauseReason].filter(Boolean).join(': '),
      (line) => paintState(screen, state, line),
    ],
    ['resumes', at(job.resumeTime)],
    ['next run', at(job.nextFireTime)],
    [
      'skips',
      job.skipCount === 0
        ? ''
        : `the next ${job.skipCount === 1 ? 'run' : `${job.skipCount} runs`}`,
    ],
    ['last run', at(job.lastFireTime)],
    ['labels', pairs(job.labels)],
    ['tags', job.tags.join(', ')],
    ['version', String(job.version)],
    ['created', at(job.createTime)],
    ['updated', at(job.updateTime)],
    ['etag', job.etag],
  ]
}

function specLines(job: Job): Detail[] {
  const { spec } = job
  const schedule = spec?.schedule
  const span = (durationMs: number | undefined) => durationMs && formatDurationMs(durationMs)
  return [
    ['kind', describeKind(job)],
    ['task', describeTask(spec?.task)],
    ...surroundingLines(job),
    ['schedule', schedule?.recurrences.map(describeRecurrence).join('\n')],
    ['time zone', schedule?.timeZone],
    ['not on', schedule?.excludeCalendars.map(toId).join(', ')],
    ['only on', schedule?.onlyCalendars.map(toId).join(', ')],
    ['jitter', span(durationToMs(schedule?.jitter)) || undefined],
    ['catch-up', word(CatchUp_Policy, schedule?.catchUp?.policy ?? 0)],
    ['after', describeDependencies(spec)],
    ['capabilities', spec?.placement?.capabilities.join(', ')],
    ['selector', spec?.placement?.selector],
    ['worker', toId(spec?.placement?.worker ?? '')],
    ['priority', String(spec?.priority ?? 50)],
    ['retries', describeRetry(spec)],
    ['guarantee', word(Guarantee, spec?.guarantee ?? 0)],
    ['timeout', span(durationToMs(spec?.timeout)) || 'none'],
    ['overlap', describeOverlap(spec)],
    ['start deadline', span(durationToMs(spec?.startDeadline)) || undefined],
    ['kill grace', span(durationToMs(spec?.killGrace)) || undefined],
    [
      'parameters',
      spec?.parameters
        .map(
          ({ name, default: value, required }) =>
            `${name}${required ? ' (required)' : `=${value}`}`,
        )
        .join('\n'),
    ],
  ]
}

/** Values of an environment may be secrets, so only its names are shown. */
function surroundingLines(job: Job): Detail[] {
  const kind = job.spec?.task?.kind
  switch (kind?.$case) {
    case 'shell':
    case 'script': {
      const { env, workingDirectory }: ShellTask | ScriptTask = kind.value
      return [
        ['env', Object.keys(env).join(', ')],
        ['directory', workingDirectory],
      ]
    }
    case 'api':
      return [
        ['headers', Object.keys(kind.value.headers).join(', ')],
        ['body', kind.value.body.length > 0 ? `${kind.value.body.length} bytes` : ''],
        ['expected', kind.value.expectedStatusCodes.join(', ')],
      ]
    case 'handler':
    case 'workflow':
    case undefined:
      return []
  }
}

function pairs(record: Readonly<Record<string, string>>): string {
  return Object.entries(record)
    .map(([key, value]) => `${key}=${value}`)
    .join(', ')
}
