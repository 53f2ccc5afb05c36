import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ExecutionState, LogStream } from '../../proto/gen/rota/v1/execution.ts'
import { chunk, connectScripted, joinScripted, pushLogs } from '../support/scripted-agent.ts'
import { retries, shell } from '../support/spec.ts'
import { type LogTailer, openLogTailer, type Tail } from '../support/tail-logs.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let rota: TestCoordinator
let tailer: LogTailer

beforeAll(async () => {
  rota = await startTestCoordinator()
  tailer = openLogTailer(rota)
  await rota.addAgent('worker-1')
})

afterAll(async () => {
  tailer.close()
  await rota.remove()
})

const tail: LogTailer['tail'] = (name, request) => tailer.tail(name, request)

async function bytesOf(name: string, stream: LogStream, request: Tail = {}): Promise<Buffer> {
  const chunks = await tail(name, { follow: true, ...request }).done
  return Buffer.concat(chunks.filter((each) => each.stream === stream).map(({ data }) => data))
}

async function run(name: string, spec: object): Promise<string> {
  await rota.createJob(name, spec)
  return (await rota.ended((await rota.trigger(name)).name)).name
}

describe('output', () => {
  test('of any bytes comes back byte by byte, each stream by itself', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
    const all = Buffer.concat(Array.from({ length: 700 }, () => bytes))
    const file = `${rota.dataDir}/bytes`
    writeFileSync(file, all)
    const name = await run('bytes', shell(`cat ${file}; head -c 1000 ${file} >&2`))
    expect((await bytesOf(name, LogStream.STDOUT)).equals(all)).toBe(true)
    expect((await bytesOf(name, LogStream.STDERR)).equals(all.subarray(0, 1_000))).toBe(true)
  })

  test('beyond its limit is dropped, and how much is said exactly', async () => {
    const name = await run(
      'loud',
      shell('head -c 300000 /dev/zero', { limits: { logBytes: '100000' } }),
    )
    const [attempt] = (await rota.execution(name)).attempts
    expect(attempt).toMatchObject({ logBytes: 100_000n, logBytesDropped: 200_000n })
    expect(await bytesOf(name, LogStream.STDOUT)).toHaveLength(100_000)
    expect(String(await bytesOf(name, LogStream.SYSTEM))).toContain('200000 more bytes')
  })

  test('is followed while it is written, and ends with the execution', async () => {
    const flag = `${rota.dataDir}/followed`
    await rota.createJob(
      'followed',
      shell(`echo first; until [ -e ${flag} ]; do sleep 0.05; done; echo last`),
    )
    const { name } = await rota.trigger('followed')
    const following = tail(name, { follow: true })
    await until('the first line is there', () => String(following.chunks[0]?.data) === 'first\n')
    expect((await rota.execution(name)).state).toBe(ExecutionState.RUNNING)
    writeFileSync(flag, '')
    const chunks = await following.done
    expect(String(Buffer.concat(chunks.map(({ data }) => data)))).toBe('first\nlast\n')
  })

  test('is followed also when it begins long after its follower', async () => {
    await rota.createJob('later', shell('echo at last'))
    // Longer than announced output is waited for once nothing runs.
    const scheduleTime = new Date(Date.now() + 5_500)
    const { name } = await rota.trigger('later', { scheduleTime })
    const chunks = await tail(name, { follow: true }).done
    expect(String(Buffer.concat(chunks.map(({ data }) => data)))).toBe('at last\n')
  })

  test('goes on after any chunk that was seen, without gap or repetition', async () => {
    const name = await run(
      'resumed',
      shell('for i in 1 2 3 4 5; do echo line $i; sleep 0.15; done'),
    )
    const chunks = await tail(name, { follow: true }).done
    expect(chunks.length).toBeGreaterThan(1)
    for (const [index, { sequence: afterSequence }] of chunks.entries()) {
      const rest = await tail(name, { follow: true, afterSequence }).done
      expect(rest).toEqual(chunks.slice(index + 1))
    }
  })

  test('can be asked for its last lines', async () => {
    const name = await run('lines', shell('seq 1 2000; printf unfinished'))
    const last = async (tailLines: number) =>
      String(await bytesOf(name, LogStream.STDOUT, { tailLines }))
    expect(await last(1)).toBe('unfinished')
    expect(await last(3)).toBe('1999\n2000\nunfinished')
    expect((await last(5_000)).split('\n')).toHaveLength(2_001)
  })

  test('of one attempt can be asked for', async () => {
    const name = await run('attempts', {
      ...shell('echo "attempt $ROTA_ATTEMPT"; [ $ROTA_ATTEMPT = 3 ]'),
      ...retries(2),
    })
    expect(String(await bytesOf(name, LogStream.STDOUT))).toBe('attempt 1\nattempt 2\nattempt 3\n')
    expect(String(await bytesOf(name, LogStream.STDOUT, { attempt: 2 }))).toBe('attempt 2\n')
  })

  test.each([{ tailLines: -1 }, { attempt: -1 }])(
    'asked for with %j is refused',
    async (request) => {
      const name = await run(`negative-${Object.keys(request)[0]?.toLowerCase()}`, shell('true'))
      await expect(tail(name, request).done).rejects.toMatchObject({ code: 3 })
    },
  )
})

describe('chunks that an agent sends', () => {
  const data = Buffer.from('0123456789')

  test('are stored once and in order, however they come', async () => {
    const identity = await joinScripted(rota, 'pusher')
    const session = await connectScripted(rota, identity, { capabilities: ['shell', 'push'] })
    await rota.createJob('pushed', { ...shell('true'), placement: { capabilities: ['push'] } })
    const { name } = await rota.trigger('pushed')
    const assignment = await session.assignment(name)
    const at = (offset: number, bytes = data) =>
      chunk(assignment, { stream: LogStream.STDOUT, offset, data: bytes })
    const ends = await pushLogs(rota, identity, [
      at(0),
      at(0),
      at(5),
      // A gap: not taken.
      at(100),
      at(8, Buffer.from('89abcdef')),
      // Another text for the same place changes nothing.
      at(0, Buffer.from('XXXXXXXXXX')),
    ])
    expect(ends).toEqual([10n, 10n, 15n, 15n, 16n, 16n])
    const again = await pushLogs(rota, identity, [at(16, Buffer.from('!'))])
    expect(again).toEqual([17n])
    expect(String(await bytesOf(name, LogStream.STDOUT, { follow: false }))).toBe(
      '012345678956789f!',
    )
    session.cut()
  })

  test('of an execution that is not theirs are taken for nothing', async () => {
    const identity = await joinScripted(rota, 'intruder')
    const name = await run('private', shell('echo private'))
    const [attempt] = (await rota.execution(name)).attempts
    const foreign = { execution: name, epoch: attempt!.epoch }
    const push = chunk(foreign, { stream: LogStream.STDOUT, offset: 8, data })
    expect(await pushLogs(rota, identity, [push])).toEqual([18n])
    expect(String(await bytesOf(name, LogStream.STDOUT))).toBe('private\n')
  })
})
