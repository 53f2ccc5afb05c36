import { Job, JobState } from '../../../proto/gen/rota/v1/job.ts'
import { isoSeconds } from '../../../shared/rfc-3339.ts'
import type { Invocation } from '../../action.ts'
import { toId } from '../../names.ts'
import { present } from '../../output/present.ts'
import { escapeControls } from '../../output/text.ts'
import { relativeTime } from '../../output/time.ts'
import { describeKind, describeWhen } from './describe.ts'

/** The job as it is after a change: one line that says what was done to it and when it runs next. */
export async function presentJob(invocation: Invocation, job: Job, done: string): Promise<void> {
  await present(invocation, {
    answer: { typeName: 'rota.v1.Job', codec: Job, message: job },
    names: () => [job.name],
    text: ({ now }) => {
      const what = [describeKind(job), describeWhen(job.spec)].filter((part) => part !== '')
      const next = describeNext(job, now)
      const line = `job ${toId(job.name)} ${done} (${what.join(', ')})${next && `; ${next}`}`
      return `${escapeControls(line)}\n`
    },
  })
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
