/** The witness process as the suite sees it, and the command line that makes a job visible to it. */
import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { startProcess } from '../../support/processes.ts'
import { until } from '../../support/until.ts'
import type { WitnessEvent } from './main.ts'

/** One process life that a job has led, from its registration to the death of its last process. */
export interface Life {
  readonly execution: string
  readonly attempt: number
  readonly epoch: string
  readonly pid: number
  readonly registeredMs: number
  /** Undefined: it was killed before its work began. */
  readonly beganMs: number | undefined
  /** Undefined while it goes on. */
  readonly endedMs: number | undefined
  /** The exit code that it announced before it exited; undefined when it was killed. */
  readonly exitCode: number | undefined
  /** Lines that it has written to its output, and told the witness. */
  readonly said: readonly string[]
}

export interface Witness {
  readonly pid: number
  /** As far as the witness has told us. */
  lives(): Life[]
  /** Returns when it has told us everything that it could have seen until now. */
  caughtUp(): Promise<void>
  stop(): Promise<void>
  /** A shell command line that runs `body` as a witnessed life. In the body, `say WORDS` writes a witnessed line. */
  command(body: string): string
}

const BARRIER_PID = 0

export async function startWitness(folder: string): Promise<Witness> {
  mkdirSync(folder, { recursive: true, mode: 0o777 })
  execFileSync('mkfifo', ['-m', '666', join(folder, 'register')])
  const started = startProcess({ args: ['test/faults/witness/main.ts', folder] })
  await started.answer('ready')
  const lives = new Map<string, Life>()
  let seen = 0
  let barriers = 0
  const readAll = () => {
    for (const line of started.lines.slice(seen)) read(line, lives)
    seen = started.lines.length
  }
  return {
    pid: started.pid,
    lives() {
      readAll()
      return [...lives.values()].filter(({ pid }) => pid !== BARRIER_PID)
    },
    async caughtUp() {
      // A registration that comes back was read after what came before it; its own FIFO is missing on purpose.
      const name = `barrier-${barriers++}`
      appendFileSync(join(folder, 'register'), `${folder}/none ${name} 0 0 ${BARRIER_PID}\n`)
      await until('the witness has caught up', () => {
        readAll()
        return lives.has(`${name} 0 ${BARRIER_PID}`)
      })
    },
    async stop() {
      started.kill('SIGKILL')
      await started.exit
    },
    command: (body) => commandLine(folder, body),
  }
}

function read(line: string, lives: Map<string, Life>): void {
  if (!line.startsWith('{"kind"')) return
  // Only the witness writes there.
  const event = JSON.parse(line) as WitnessEvent
  const { execution, attempt, epoch, pid, atMs } = event
  const key = `${execution} ${epoch} ${pid}`
  const life = lives.get(key) ?? {
    ...{ execution, attempt, epoch, pid },
    registeredMs: atMs,
    beganMs: undefined,
    endedMs: undefined,
    exitCode: undefined,
    said: [],
  }
  lives.set(key, after(life, event))
}

function after(life: Life, { kind, atMs, text = '' }: WitnessEvent): Life {
  switch (kind) {
    case 'registered':
      return life
    case 'began':
      return { ...life, beganMs: atMs }
    case 'said':
      return { ...life, said: [...life.said, text] }
    case 'left':
      return { ...life, exitCode: Number(text) }
    case 'ended':
    case 'never_began':
      return { ...life, endedMs: atMs }
  }
}

/** For any POSIX shell; the body's exit status is the job's. */
function commandLine(folder: string, body: string): string {
  return `
fifo=${folder}/$ROTA_EXECUTION.$ROTA_EPOCH.$$
mkfifo -m 600 "$fifo" || exit 90
echo "$fifo $ROTA_EXECUTION $ROTA_ATTEMPT $ROTA_EPOCH $$" > ${folder}/register
exec 9> "$fifo"
echo began >&9
say() { echo "said $*" >&9; echo "$*"; }
work() {
${body}
}
work
status=$?
echo "left $status" >&9
exit $status
`
}
