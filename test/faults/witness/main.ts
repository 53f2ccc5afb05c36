/**
 * The witness: a process outside of the system that sees every test job begin and end.
 *
 * A job makes a FIFO of its own, writes `FIFO execution attempt epoch pid` into the common one, `register`, and opens its
 * own for writing, which waits until the witness has it open. From then on the job and all of its children hold it; the
 * kernel closes it at the death of the last of them, whatever killed them, and the witness reads the end.
 *
 * W1. A life that `began` is held by living processes until its `ended`, and by none after it.
 * W2. Of two lives that follow each other because somebody has seen the first one end, the first one's end comes first:
 *     the second can begin only after its registration was read, and by then that end is there to be read too.
 *
 * One line of JSON on stdout per event; times are ms of the host's wall clock, taken once and continued monotonically.
 */
import { constants, openSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface WitnessEvent {
  readonly kind: 'registered' | 'began' | 'said' | 'left' | 'ended' | 'never_began'
  readonly atMs: number
  readonly execution: string
  readonly attempt: number
  readonly epoch: string
  readonly pid: number
  /** What it said, or the exit code that it announced. */
  readonly text?: string
}

type Life = Pick<WitnessEvent, 'execution' | 'attempt' | 'epoch' | 'pid'>

const LOOK_MS = 500

const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('usage: FOLDER, which holds the FIFO `register`')
// Also open for writing, so that its end never comes.
const register = new Socket({
  fd: openSync(join(folder, 'register'), constants.O_RDWR | constants.O_NONBLOCK),
  readable: true,
  writable: false,
})
createInterface({ input: register }).on('line', witness)
process.stdin.resume().on('end', () => process.exit(0))
process.stdout.write(`${JSON.stringify({ ready: true })}\n`)

function tell(kind: WitnessEvent['kind'], life: Life, text?: string): void {
  const atMs = performance.timeOrigin + performance.now()
  const event: WitnessEvent = { kind, atMs, ...life, ...(text === undefined ? {} : { text }) }
  process.stdout.write(`${JSON.stringify(event)}\n`)
}

function witness(line: string): void {
  const [fifo = '', execution = '', attempt = '', epoch = '', pid = ''] = line.split(' ')
  const life: Life = { execution, attempt: Number(attempt), epoch, pid: Number(pid) }
  tell('registered', life)
  let descriptor: number
  try {
    descriptor = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch {
    // Its folder has gone, and so has the job.
    tell('never_began', life)
    return
  }
  watch(fifo, descriptor, life)
}

function watch(fifo: string, descriptor: number, life: Life): void {
  let hasBegun = false
  const input = new Socket({ fd: descriptor, readable: true, writable: false })
  const finish = () => {
    clearInterval(timer)
    input.destroy()
    // Not before the job has it open: a shell would make a plain file of a name that is gone.
    rmSync(fifo, { force: true })
  }
  createInterface({ input })
    .on('line', (line) => {
      const [word = '', ...rest] = line.split(' ')
      if (word === 'began') hasBegun = true
      if (word === 'began') tell('began', life)
      else if (word === 'said') tell('said', life, rest.join(' '))
      else if (word === 'left') tell('left', life, rest.join(' '))
    })
    .on('close', () => {
      finish()
      tell(hasBegun ? 'ended' : 'never_began', life)
    })
  // A FIFO that nobody has ever opened for writing has no end.
  const timer = setInterval(() => {
    if (hasBegun || isAlive(life.pid)) return
    input.destroy()
  }, LOOK_MS)
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
