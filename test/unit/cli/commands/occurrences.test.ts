import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ExecutionState } from '../../../../proto/gen/rota/v1/execution.ts'
import {
  type ExplainOccurrenceRequest,
  ExplainOccurrenceResponse,
  type ListOccurrencesRequest,
  Occurrence,
  Occurrence_Decision,
} from '../../../../proto/gen/rota/v1/job_service.ts'
import { rota, type ScriptedServer, startScriptedServer } from '../../../support/cli.ts'

const ID = '0198c5d2-7a1b-7000-8000-00000000beef'
const ran = Occurrence.fromPartial({
  scheduledFor: new Date('2026-11-20T02:00:00Z'),
  decision: Occurrence_Decision.ENQUEUED,
  reason: 'on time',
  execution: `executions/${ID}`,
  executionState: ExecutionState.SUCCEEDED,
})
const missed = Occurrence.fromPartial({
  scheduledFor: new Date('2026-11-19T02:00:00Z'),
  decision: Occurrence_Decision.MISSED,
  reason: '2h late; catch-up goes back 1h',
})

let server: ScriptedServer
let listed: ListOccurrencesRequest[]
let asked: ExplainOccurrenceRequest[]
let occurrences: Occurrence[]

beforeAll(async () => {
  server = await startScriptedServer({
    listOccurrences(request) {
      listed.push(request)
      return { occurrences, nextPageToken: '' }
    },
    explainOccurrence(request) {
      asked.push(request)
      return ExplainOccurrenceResponse.fromPartial({
        message: 'It was due and enqueued: on time; its execution succeeded.',
        time: new Date('2020-01-01T02:00:00Z'),
        occurrence: ran,
        executionState: ExecutionState.SUCCEEDED,
        version: 3,
        nextTime: new Date('2020-01-02T02:00:00Z'),
      })
    },
  })
})
afterAll(async () => server.stop())
beforeEach(() => {
  listed = []
  asked = []
  occurrences = [ran, missed]
})

const run = (...args: string[]) =>
  rota(['job', 'occurrences', ...args], { dataDir: server.dataDir })

describe('rota job occurrences', () => {
  it('lists due times with decision, execution, its state, and why', async () => {
    const { stdout } = await run('backup')
    expect(stdout).toBe(
      [
        'DUE                   DECISION  EXECUTION      STATE      REASON',
        '2026-11-20T02:00:00Z  enqueued  0198c5d2-7a1b  succeeded  on time',
        '2026-11-19T02:00:00Z  missed    -              -          2h late; catch-up goes back 1h',
        '',
      ].join('\n'),
    )
    expect(listed[0]).toMatchObject({ job: 'jobs/backup', filter: '', startTime: undefined })
  })

  it('narrows by time and decision', async () => {
    await run(
      'backup',
      '--from',
      '24h',
      '--to',
      '2026-11-20T03:00:00Z',
      '--decision',
      'missed,skipped-overlap',
    )
    expect(listed[0]).toMatchObject({
      endTime: new Date('2026-11-20T03:00:00Z'),
      filter: 'decision = MISSED OR decision = SKIPPED_OVERLAP',
    })
    const agoMs = Date.now() - listed[0]!.startTime!.getTime()
    expect(Math.round(agoMs / 60_000)).toBe(1_440)
  })

  it('says when there is nothing, and refuses what is no time and no decision', async () => {
    occurrences = []
    expect((await run('backup')).stderr).toContain('No due time is in the ledger.')
    for (const args of [
      ['--from', 'yesterday'],
      ['--decision', 'misssed'],
    ]) {
      const { exitCode, stderr } = await run('backup', ...args)
      expect([exitCode, stderr.includes('hint:')]).toEqual([2, true])
    }
  })

  it('answers for one time, in the zone of the schedule or as an instant', async () => {
    const { stdout } = await run('backup', '--at', '02:00')
    await run('backup', '--at', '2026-11-20T02:00:00+01:00')
    expect(asked).toMatchObject([
      { job: 'jobs/backup', localTime: '02:00', time: undefined },
      { localTime: '', time: new Date('2026-11-20T01:00:00Z') },
    ])
    expect(stdout).toContain(
      'answer     It was due and enqueued: on time; its execution succeeded.\n',
    )
    expect(stdout).toContain(`execution  ${ID}\nstate      succeeded\nversion    3\n`)
    const json = JSON.parse((await run('backup', '--at', '02:00', '-o', 'json')).stdout)
    expect(json).toMatchObject({ version: 3, occurrence: { decision: 'DECISION_ENQUEUED' } })
  })
})
