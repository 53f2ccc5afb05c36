import type { Command } from 'commander'
import { JobState } from '../../proto/gen/rota/v1/job.ts'
import { WatchEventsResponse } from '../../proto/gen/rota/v1/system_service.ts'
import { WorkerHealth, WorkerState } from '../../proto/gen/rota/v1/worker_service.ts'
import { addExamples, type Handler, type Run, setAction } from '../action.ts'
import { watchEvents } from '../event-stream.ts'
import { EXIT } from '../exit-codes.ts'
import { writeAll } from '../host.ts'
import { toId } from '../names.ts'
import { present, talk } from '../output/present.ts'
import type { Screen } from '../output/screen.ts'
import { escapeControls, truncate } from '../output/text.ts'
import { timeOfDay } from '../output/time.ts'
import { joinFilters } from '../paging.ts'
import { paintState, word } from '../words.ts'
import { describeReason, describeState, describeWorker } from './exec/describe.ts'

interface EventOptions {
  readonly filter?: string
  readonly job?: string
  readonly since?: string
}

/** `rota events` */
export function registerEvents(program: Command, run: Run): void {
  const events = program
    .command('events')
    .description(
      'Follow what changes: jobs, executions and workers, one line each time, until Ctrl-C.',
    )
    .option('--filter <expression>', "only what matches, e.g. 'type = WORKER OR state = FAILED'")
    .option('--job <name>', 'only this job and its executions')
    .option('--since <token>', 'go on behind the token that an earlier run ended with')
  addExamples(
    events,
    'rota events --job backup',
    "rota events --filter 'state = FAILED OR change = LOST' -o jsonl",
  )
  events.addHelpText(
    'after',
    '\nFilters know resource, type, job, worker, state and change. A line shows its\nresource as it is by then: changes in quick succession may come as one.',
  )
  setAction(events, run, followEvents)
}

const followEvents: Handler<EventOptions, readonly []> = async (invocation, options) => {
  const { job, since } = options
  const ofJob = job === undefined ? undefined : `job = ${JSON.stringify(toId(job))}`
  const request = { filter: joinFilters(options.filter, ofJob), resumeToken: since ?? '' }
  const api = await invocation.connect()
  let token = request.resumeToken
  for await (const message of watchEvents(invocation, api, request)) {
    token = message.resumeToken
    if (message.event === undefined || message.event.$case === 'keepalive') continue
    if (message.event.$case === 'gap') await talk(invocation, MISSED)
    // One document each; the other formats keep them apart by themselves.
    if (invocation.options.output === 'yaml') await writeAll(invocation.host.stdout, '---\n')
    await present(invocation, {
      answer: { typeName: 'rota.v1.WatchEventsResponse', codec: WatchEventsResponse, message },
      names: () => nameOf(message),
      text: (screen) => renderEvent(message, screen),
    })
  }
  if (token !== '') await talk(invocation, `Go on from here:  rota events --since ${token}`)
  return EXIT.interrupted
}

const MISSED = 'rota: some changes are missing here: look at what is, then go on reading'

function nameOf({ event }: WatchEventsResponse): string[] {
  switch (event?.$case) {
    case 'job':
    case 'execution':
    case 'worker':
      return [event.value.name]
    case 'deletedName':
      return [event.value]
    default:
      return []
  }
}

/** `10:15:02  execution  failed     backup 0198c5d2-7a1b on worker-3: exit 3  [EXIT_CODE]` */
function renderEvent(message: WatchEventsResponse, screen: Screen): string {
  const told = tell(message.event)
  if (told === undefined) return ''
  const { type, state, text } = told
  const time = timeOfDay(message.eventTime ?? screen.now)
  const padded = state.padEnd(STATE_WIDTH)
  const line = escapeControls(`${time}  ${type.padEnd(9)}  ${padded}  ${text}`).trimEnd()
  const cut = screen.width === undefined ? line : truncate(line, screen.width)
  return `${cut.replace(padded, () => paintState(screen, state, padded))}\n`
}

const STATE_WIDTH = 9

interface Told {
  readonly type: string
  readonly state: string
  readonly text: string
}

function tell(event: WatchEventsResponse['event']): Told | undefined {
  switch (event?.$case) {
    case 'job': {
      const { name, state, pauseReason } = event.value
      const text = `${toId(name)}${pauseReason && `: ${pauseReason}`}`
      return { type: 'job', state: word(JobState, state), text }
    }
    case 'execution': {
      const { name, job } = event.value
      const worker = describeWorker(event.value)
      const reason = describeReason(event.value)
      const place = `${worker && ` on ${worker}`}${reason && `: ${reason}`}`
      const text = `${toId(job)} ${toId(name).slice(0, 13)}${place}`
      return { type: 'execution', state: describeState(event.value), text }
    }
    case 'worker': {
      const { name, state, health, healthMessage } = event.value
      const doing = state === WorkerState.ACTIVE ? '' : ` ${word(WorkerState, state)}`
      const text = `${toId(name)}${doing}${healthMessage && `: ${healthMessage}`}`
      return { type: 'worker', state: word(WorkerHealth, health), text }
    }
    case 'deletedName': {
      const [type = ''] = event.value.split('/')
      return { type: type.replace(/s$/, ''), state: 'deleted', text: toId(event.value) }
    }
    default:
      return undefined
  }
}
