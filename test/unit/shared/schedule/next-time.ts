/** One question to a schedule of one text, as tests ask it. */
import { Schedule } from '../../../../proto/gen/rota/v1/job.ts'
import { nextDue } from '../../../../shared/schedule/next-due.ts'

export interface TimeQuestion {
  readonly expression: string
  readonly timeZone: string
  readonly after: Date
  readonly seed: string
  readonly anchor?: Date
  readonly dst?: Schedule['dst']
}

export function nextTime(question: TimeQuestion): Date | undefined {
  const { expression, timeZone, after, seed, dst } = question
  const schedule: Schedule = {
    ...Schedule.fromPartial({}),
    recurrences: [{ kind: { $case: 'cron', value: expression }, compiled: '' }],
    timeZone,
    ...(dst !== undefined && { dst }),
  }
  return nextDue({ schedule, after, seed, anchor: question.anchor ?? new Date(0) })
}
