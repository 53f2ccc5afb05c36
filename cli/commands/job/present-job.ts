import { Job, JobState } from '../../../proto/gen/rota/v1/job.ts'
import type { ScheduleImpact } from '../../../proto/gen/rota/v1/job_service.ts'
import { isoSeconds } from '../../../shared/rfc-3339.ts'
import type { Invocation } from '../../action.ts'
import { toId } from '../../names.ts'
import { present } from '../../output/present.ts'
import type { ApiMessage } from '../../output/proto-json.ts'
import { escapeControls } from '../../output/text.ts'
import { relativeTime } from '../../output/time.ts'
import { describeKind, describeWhen } from './describe.ts'
import { renderImpact } from './impact.ts'

/** The job as it is after a change: one line that says what was done to it and when it runs next. */
export async function presentJob(invocation: Invocation, job: Job, done: string): Promise<void> {
  await present(invocation, {
    answer: { typeName: 'rota.v1.Job', codec: Job, message: job },
    names: () => [job.name],
    text: ({ now }) => changeLine(job, done, now),
  })
}

/** A change that was only tried: the same line, and what it would do to the due times. JSON is the whole response. */
export async function presentDryRun<R extends { readonly impact?: ScheduleImpact | undefined }>(
  invocation: Invocation,
  answer: ApiMessage<R>,
  { job, done }: { readonly job: Job; readonly done: string },
): Promise<void> {
  const { impact } = answer.message
  await present(invocation, {
    answer,
    names: () => [job.name],
    text: (screen) => {
      const line = changeLine(job, done, screen.now)
      return impact === undefined ? line : `${line}\n${renderImpact(impact, screen)}`
    },
  })
}

function changeLine(job: Job, done: string, now: Date): string {
  const what = [describeKind(job), describeWhen(job.spec)].filter((part) => part !== '')
  const next = describeNext(job, now)
  const line = `job ${toId(job.name)} ${done} (${what.join(', ')})${next && `; ${next}`}`
  return `${escapeControls(line)}\n`
}

/** `next run in 8s, 2026-11-20T10:15:00Z`; empty where the dependencies say it. */
function describeNext(job: Job, now: Date): string {
  if (job.state === JobState.PAUSED) {
    const { resumeTime } = job
    if (resumeTime === undefined) return 'its schedule is paused'
    return `its schedule is paused until ${isoSeconds(resumeTime)} (${relativeTime(resumeTime, now)})`
  }
  if (job.nextFireTime !== undefined) {
    return `next run ${relativeTime(job.nextFireTime, now)}, ${isoSeconds(job.nextFireTime)}`
  }
  return (job.spec?.dependencies.length ?? 0) > 0 ? '' : 'runs when triggered'
}
