/** Jobs that do harm, and what their agents make of them. */
import { until } from '../../support/until.ts'
import { PATIENCE_MS, type Probe, type Stage } from '../run/stage.ts'
import { type Fault, since, unless } from './fault.ts'

const CAP_BYTES = 1024 * 1024
const FLOOD_BYTES = 64 * CAP_BYTES
/** Of the load's jobs: from TERM to KILL. */
const KILL_GRACE_MS = 1_000

export const outputFlood: Fault = {
  name: 'output-flood',
  what: 'a job writes 64 MiB, of which it may keep 1 MiB; the rest is counted to the byte',
  target: undefined,
  allowsOverlap: 'none',
  async run(stage) {
    const probe = await stage.start({
      name: 'flood',
      body: `say begins\nhead -c ${FLOOD_BYTES} /dev/zero | tr '\\0' 'x'\nreturn 0`,
      spec: { limits: { logBytes: String(CAP_BYTES) } },
    })
    const problems = unless(await probe.ended(), 'succeeded', ['succeeded'])
    const { dropped, kept, stored } = await outputOf(stage, probe)
    const written = FLOOD_BYTES + 'begins\n'.length
    if (kept + dropped !== written) problems.push(`${kept} kept + ${dropped} dropped of ${written}`)
    if (stored !== kept) problems.push(`${kept} bytes were kept, ${stored} are stored`)
    return { recoveryMs: undefined, problems }
  },
}

/** Counts of bytes, once all that was kept is stored. */
async function outputOf({ cluster }: Stage, { execution }: Probe) {
  const sql = `
    select a.log_bytes::int as kept, a.log_bytes_dropped::int as dropped,
      (select coalesce(sum(length(l.data)), 0)::int from rota.log_chunk l where l.execution_id = a.execution_id) as stored,
      (select encode(string_agg(l.data, ''::bytea order by l."offset"), 'hex') from rota.log_chunk l
        where l.execution_id = a.execution_id and l.stream = 'stdout' and length(l.data) < 10000) as hex
    from rota.attempt a where a.execution_id = $1`
  return until(
    'the output is stored',
    async () => {
      const [row] = await cluster.query<{
        kept: number
        dropped: number
        stored: number
        hex: string | null
      }>(sql, [execution])
      return row === undefined || row.stored < row.kept ? undefined : row
    },
    PATIENCE_MS,
  )
}

/** NUL, bytes that are no UTF-8, a lone surrogate in CESU form, terminal escapes, a half line. */
const POISON = '\\000\\377\\376\\303\\050\\355\\240\\200\\033[2J\\033]0;x\\007\\r\\n\\342\\202'
const POISON_HEX = '00fffec328eda0801b5b324a1b5d303b78070d0ae282'

export const poisonOutput: Fault = {
  name: 'poison-output',
  what: 'a job writes bytes that are no text, and results with NUL and lone surrogates',
  target: undefined,
  allowsOverlap: 'none',
  async run(stage) {
    const plain = await stage.start({ name: 'poison', body: `printf '${POISON}'` })
    const problems = unless(await plain.ended(), 'succeeded', ['succeeded'])
    const { hex } = await outputOf(stage, plain)
    if (hex !== POISON_HEX) problems.push(`it wrote ${POISON_HEX}, stored is ${hex}`)
    const results = await stage.start({
      name: 'poison-results',
      body: `printf 'nul=\\000\\nbroken=\\377\\n__proto__=x\\n' >> "$ROTA_OUTPUT"\nsay wrote them`,
    })
    problems.push(...unless(await results.ended(), 'succeeded', ['succeeded']))
    return { recoveryMs: undefined, problems }
  },
}

/** A job is cancelled, and everything of it is gone in time. */
async function cancelAndLook(stage: Stage, probe: Probe, state = 'cancelled') {
  const startMs = Date.now()
  await stage.load.client.cancel(probe.execution)
  const problems = unless(await probe.ended(), state, [state])
  await whenNothingIsLeft(stage, probe)
  return { recoveryMs: since(startMs), problems }
}

async function whenNothingIsLeft({ cluster }: Stage, { execution }: Probe): Promise<void> {
  const mark = `ROTA_EXECUTION=${execution}`
  await until(
    'no process of it lives',
    () => cluster.agents.every((agent) => agent.jobPids(mark).length === 0),
    PATIENCE_MS,
  )
}

const cancelled = {
  what: 'from the cancel until no process of it lives',
  ms: () => KILL_GRACE_MS + 5_000,
}

export const forkStorm: Fault = {
  name: 'fork-storm',
  what: 'a job starts 200 processes, each in a session of its own and deaf to TERM, and is cancelled',
  target: cancelled,
  allowsOverlap: 'none',
  async run(stage) {
    const probe = await stage.start({
      name: 'fork-storm',
      body: `
trap '' TERM
each=0
while [ "$each" -lt 200 ]; do setsid sleep 300 & each=$((each + 1)); done
say all of them
while :; do sleep 1; done`,
    })
    await until('all are started', () => probe.lives()[0]?.said.length === 1, PATIENCE_MS)
    return cancelAndLook(stage, probe)
  },
}

export const setsidDaemon: Fault = {
  name: 'setsid-daemon',
  what: 'a job ends and leaves a daemon behind, in a session of its own',
  target: { what: 'from the end of the job until the daemon is gone', ms: () => 5_000 },
  allowsOverlap: 'none',
  async run(stage) {
    const probe = await stage.start({
      name: 'daemon',
      body: `setsid sleep 300 > /dev/null 2>&1 &\nsay left one behind\nreturn 0`,
    })
    const problems = unless(await probe.ended(), 'succeeded', ['succeeded'])
    const startMs = Date.now()
    await whenNothingIsLeft(stage, probe)
    return { recoveryMs: since(startMs), problems }
  },
}

export const deafToTerm: Fault = {
  name: 'deaf-to-term',
  what: 'a job that ignores TERM, as do its children, is cancelled',
  target: cancelled,
  allowsOverlap: 'none',
  async run(stage) {
    const probe = await stage.start({
      name: 'deaf',
      body: `trap '' TERM\nsay deaf\nwhile :; do sleep 1; done`,
    })
    await probe.begun(1)
    return cancelAndLook(stage, probe)
  },
}
