import { readFileSync, writeFileSync } from 'node:fs'
import { Writable } from 'node:stream'
import { sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import { shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let rota: TestCoordinator
/** What coordinator and agent log as errors. */
const errors: string[] = []

beforeAll(async () => {
  const write = (line: Buffer, _: string, done: () => void) => {
    errors.push(line.toString())
    done()
  }
  rota = await startTestCoordinator([], {
    logger: pino({ level: 'error' }, new Writable({ write })),
  })
  await rota.addAgent('worker-1')
})

afterAll(async () => {
  await rota.remove()
})

/** Each start of the command writes a line here. */
function starts(name: string): string[] {
  try {
    return readFileSync(`${rota.dataDir}/${name}.starts`, 'utf8').trim().split('\n')
  } catch {
    return []
  }
}

function counting(name: string, rest: string): object {
  return shell(`echo "$ROTA_EXECUTION $ROTA_EPOCH" >> ${rota.dataDir}/${name}.starts; ${rest}`)
}

test('what runs while the coordinator is away goes on, ends, and is run once', async () => {
  const flag = `${rota.dataDir}/go-on`
  await rota.createJob(
    'long',
    counting('long', `until [ -e ${flag} ]; do sleep 0.05; done; echo end`),
  )
  await rota.createJob('short', counting('short', 'true'))
  const running = await Promise.all([rota.trigger('long'), rota.trigger('long')])
  await until('both run', () => starts('long').length === 2)
  await rota.stop()
  await rota.start()
  const { name: queued } = await rota.trigger('short')
  expect((await rota.ended(queued)).state).toBe(ExecutionState.SUCCEEDED)
  await rota.stop()
  // They end while nobody is there to be told.
  writeFileSync(flag, '')
  await rota.start()
  for (const { name } of running) {
    const execution = await rota.ended(name)
    expect(execution.state).toBe(ExecutionState.SUCCEEDED)
    expect(execution.attempts).toHaveLength(1)
  }
  expect(starts('long')).toHaveLength(2)
  expect(starts('short')).toHaveLength(1)
})

test('five restarts under a stream of work lose nothing and double nothing', async () => {
  await rota.createJob('stream', counting('stream', 'sleep 0.05'))
  const names: string[] = []
  for (let round = 0; round < 5; round++) {
    const triggered = await Promise.all(Array.from({ length: 6 }, () => rota.trigger('stream')))
    names.push(...triggered.map(({ name }) => name))
    await rota.restart()
  }
  const ended = await Promise.all(names.map((name) => rota.ended(name)))
  expect(ended.filter(({ state }) => state !== ExecutionState.SUCCEEDED)).toEqual([])
  expect(ended.filter(({ attempts }) => attempts.length !== 1)).toEqual([])
  expect(starts('stream').sort().length).toBe(names.length)
  expect(new Set(starts('stream').map((line) => line.split(' ')[0])).size).toBe(names.length)
  const { rows } = await sql`select from rota.execution`.execute(rota.db)
  expect(rows).toHaveLength(0)
})

test('a stop in order is no error, however many agents are there', async () => {
  errors.splice(0)
  await rota.restart()
  await rota.createJob('after', shell('true'))
  await rota.ended((await rota.trigger('after')).name)
  expect(errors).toEqual([])
})
