/** What happened to an execution, in a line for a person. Pure. */
import type { TimelineRow } from './timeline-queries.ts'

type Told = Pick<
  TimelineRow,
  'change' | 'state' | 'attempt' | 'epoch' | 'reason_code' | 'message' | 'worker'
>

/** `attempt 2 failed: exit code 3  [EXIT_CODE]` */
export function describeEvent(event: Told): string {
  const { change, epoch } = event
  const attempt = `attempt ${event.attempt ?? 0}`
  switch (change) {
    case 'created':
      return `created${describeWait(event)}`
    case 'queued':
      return 'its wait is over'
    case 'assigned':
      return `${attempt} assigned, epoch ${epoch ?? 0}`
    case 'requeued':
      return `${attempt} was not accepted and does not count`
    case 'started':
      return `${attempt} started`
    case 'restored':
      return `${attempt} taken up again after a failover of the database`
    case 'retried':
      return `${attempt} failed${describeReason(event)}`
    case 'lost':
      return `${attempt} lost${describeReason(event)}`
    case 'cancel_requested':
      return `cancel requested${describeReason({ ...event, reason_code: '' })}`
    case 'settled':
      return `${event.state}${describeReason(event)}`
  }
}

function describeWait({ reason_code }: Told): string {
  switch (reason_code) {
    case 'SCHEDULED_LATER':
      return ', waits for its time'
    case 'DEPENDENCY':
      return ', waits for other jobs'
    default:
      return ''
  }
}

function describeReason({ message, reason_code }: Pick<Told, 'message' | 'reason_code'>): string {
  const text = message === '' ? '' : `: ${message}`
  return reason_code === '' ? text : `${text}  [${reason_code}]`
}
