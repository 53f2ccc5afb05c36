/** The options that say what a job is, the same for `job create` and `job update`. */
import { type Command, Option } from 'commander'
import { repeatable } from '../../option-values.ts'

export interface JobFlags {
  readonly file?: string
  readonly dryRun?: boolean
  // What it does.
  readonly command?: string
  readonly script?: string
  readonly interpreter?: string
  readonly arg?: readonly string[]
  readonly env?: readonly string[]
  readonly cwd?: string
  readonly url?: string
  readonly method?: string
  readonly header?: readonly string[]
  readonly body?: string
  readonly expect?: readonly string[]
  readonly followRedirects?: boolean
  readonly handler?: string
  readonly payload?: string
  readonly param?: readonly string[]
  // When.
  readonly schedule?: readonly string[]
  readonly tz?: string
  readonly excludeCalendar?: readonly string[]
  readonly onlyCalendar?: readonly string[]
  readonly jitter?: string
  readonly catchUp?: string
  readonly after?: readonly string[]
  // Where.
  readonly capability?: readonly string[]
  readonly selector?: string
  readonly worker?: string
  readonly priority?: string
  // How.
  readonly retries?: string
  readonly retryDelay?: string
  readonly retryMaxDelay?: string
  readonly retryBackoff?: string
  readonly timeout?: string
  readonly killGrace?: string
  readonly guarantee?: string
  readonly overlap?: string
  readonly atOnce?: string
  readonly startDeadline?: string
  // About it.
  readonly description?: string
  readonly label?: readonly string[]
  readonly tag?: readonly string[]
}

type Declaration = readonly [flags: string, description: string]

const SECTIONS: readonly (readonly [heading: string, options: readonly Declaration[]])[] = [
  [
    'What it does (one of --command, --script, --url, --handler):',
    [
      [
        '--command <text>',
        'a shell line; script:PATH is a script on the worker, http(s)://... a call',
      ],
      ['--script <file>', 'a script from this host, sent along with the job; - reads stdin'],
      ['--url <url>', 'an HTTP call made by the worker'],
      ['--handler <name>', 'a function of the agent: noop, echo, sleep, fail, log or your own'],
      ['--env <key=value...>', 'environment of a shell line or script'],
      ['--cwd <path>', 'working directory of a shell line or script'],
      [
        '--interpreter <name>',
        'of a script: bash, python3, node ... (default: its #! line or suffix)',
      ],
      ['--arg <text...>', 'argument of a script'],
      ['--method <name>', 'of a call (default GET, with --body POST)'],
      ['--header <name: value...>', 'of a call'],
      ['--body <text>', 'of a call; @FILE reads a file'],
      ['--expect <code...>', 'status codes of a call that mean success (default 2xx)'],
      ['--follow-redirects', 'let a call follow redirects'],
      ['--payload <json>', 'input of a handler; @FILE reads a file'],
      ['--param <name=default...>', 'input that a trigger may set; NAME alone must be set'],
    ],
  ],
  [
    'When it runs:',
    [
      [
        '--schedule <when...>',
        '"*/5 * * * *", @daily, "every 10s", "in 5m", or a time; may be repeated',
      ],
      ['--tz <zone>', 'time zone of the schedule, e.g. Europe/Paris (default UTC)'],
      ['--exclude-calendar <name...>', 'not on the days of this calendar; may be repeated'],
      ['--only-calendar <name...>', 'only on the days of this calendar, or of another such'],
      ['--jitter <duration>', 'up to so much later, always the same for one job'],
      ['--catch-up <policy>', 'of due times that nobody decided: last (default), none or all'],
      ['--after <job...>', 'when that job succeeded; JOB:failed or JOB:completed for other ends'],
    ],
  ],
  [
    'Where it runs:',
    [
      ['--capability <name...>', 'only on workers that have it'],
      ['--selector <expression>', 'only on workers with such labels, e.g. "region = eu"'],
      ['--worker <name>', 'only on this worker'],
      ['--priority <level>', 'low, medium, high or 0 to 100 (default medium, 50)'],
    ],
  ],
  [
    'How it runs:',
    [
      ['--retries <count>', 'tries after a failed first one (default 0)'],
      ['--retry-delay <duration>', 'wait before the first retry'],
      ['--retry-backoff <kind>', 'fixed or exponential growth of that wait (default exponential)'],
      ['--retry-max-delay <duration>', 'no wait is longer'],
      ['--timeout <duration>', 'wall time of one attempt'],
      ['--kill-grace <duration>', 'from TERM to KILL when it is stopped (default 10s)'],
      ['--guarantee <name>', 'at-least-once (default), exclusive or at-most-once'],
      [
        '--overlap <policy>',
        'while another one runs: allow (default), skip, queue-one, queue-all or cancel-running',
      ],
      ['--at-once <count>', 'executions of the job at once (default any; with --overlap 1)'],
      ['--start-deadline <duration>', 'fail what has not started so long after it was due'],
    ],
  ],
  [
    'About it:',
    [
      ['--description <text>', 'what it is for'],
      ['--label <key=value...>', 'to select jobs by'],
      ['--tag <word...>', 'to find jobs by'],
    ],
  ],
]

/** Adds them all; a repeatable option takes one value each time it is given. */
export function addJobFlags(command: Command): Command {
  command.option('-f, --file <file>', 'the job in YAML or JSON; options win over it; - reads stdin')
  command.option('--dry-run', 'check and show it, store nothing')
  for (const [heading, declarations] of SECTIONS) {
    for (const [flags, description] of declarations) {
      const option = new Option(flags.replace('...>', '>'), description).helpGroup(heading)
      command.addOption(flags.endsWith('...>') ? option.argParser(repeatable) : option)
    }
  }
  return command
}
