import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CreateJobRequest } from '../../proto/gen/rota/v1/job_service.ts'
import { ERROR_CODES, type ErrorReason } from '../../shared/errors/catalogue.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { createFakeAuthority } from '../support/fake-authority.ts'
import {
  everyMethod,
  openRawCaller,
  pathOf,
  type RawCaller,
  type RawCredentials,
} from '../support/raw-call.ts'
import { joinScripted, makeAgentKey, type ScriptedIdentity } from '../support/scripted-agent.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'

/** Who may call what, written out once more by hand: `access.ts` has to agree. */
const METHODS = everyMethod().map((method) => ({
  path: pathOf(method),
  kind: method.methodKind,
  access: accessOf(pathOf(method)),
}))

function accessOf(path: string): 'public' | 'joining' | 'agent' | 'token' {
  if (path.startsWith('/grpc.health.v1.Health/')) return 'public'
  if (path === '/rota.agent.v1.AgentService/Enroll') return 'joining'
  return path.startsWith('/rota.agent.v1.AgentService/') ? 'agent' : 'token'
}

/** A field that says it is longer than the message is. */
const UNDECODABLE = Buffer.of(0x0a, 0x7f)
const NOTHING = Buffer.of()

let rota: TestCoordinator
let agent: ScriptedIdentity
const callers: RawCaller[] = []

beforeAll(async () => {
  rota = await startTestCoordinator()
  agent = await joinScripted(rota, 'worker-1')
})

afterAll(async () => {
  for (const caller of callers) caller.close()
  await rota.remove()
})

function caller(credentials: RawCredentials): RawCaller {
  const opened = openRawCaller(rota, credentials)
  callers.push(opened)
  return opened
}

function admin(): RawCaller {
  return caller({ authorization: `Bearer ${rota.token()}` })
}

function refusal(answer: Buffer | RotaError): ErrorReason | 'answered' {
  return answer instanceof RotaError ? answer.reason : 'answered'
}

/** What each method answers, as `path reason`, so that a difference names the method. */
async function answersOf(
  by: RawCaller,
  methods: readonly (typeof METHODS)[number][],
  bytes: Buffer,
): Promise<string[]> {
  return Promise.all(
    methods.map(async ({ path, kind }) => `${path} ${refusal(await by.call(path, kind, bytes))}`),
  )
}

function all(methods: readonly (typeof METHODS)[number][], reason: string): string[] {
  return methods.map(({ path }) => `${path} ${reason}`)
}

describe('every method of the contract', () => {
  const isPublic = METHODS.filter(({ access }) => access === 'public')
  const isGuarded = METHODS.filter(({ access }) => access !== 'public')

  test('is served', () => {
    const services = new Set(METHODS.map(({ path }) => path.split('/')[1]))
    expect([...services].sort()).toEqual([
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      'rota.agent.v1.AgentService',
      'rota.v1.CalendarService',
      'rota.v1.ExecutionService',
      'rota.v1.FreezeService',
      'rota.v1.JobService',
      'rota.v1.SystemService',
      'rota.v1.WorkerService',
    ])
    expect(METHODS.length).toBeGreaterThan(50)
  })

  test('is refused without credentials, but for health', async () => {
    const nobody = caller({})
    expect(await answersOf(nobody, isGuarded, NOTHING)).toEqual(
      all(isGuarded, 'CREDENTIALS_MISSING'),
    )
    expect(await answersOf(nobody, isPublic, NOTHING)).toEqual(all(isPublic, 'answered'))
  })

  test('is refused before its message is read', async () => {
    const guarded = isGuarded.filter(({ access }) => access !== 'joining')
    expect(await answersOf(caller({}), guarded, UNDECODABLE)).toEqual(
      all(guarded, 'CREDENTIALS_MISSING'),
    )
  })

  test.each([
    ['a token that nobody made', 'Bearer rota-0000000000000000000000000000000000000000000'],
    ['no bearer token at all', 'Basic YWRtaW46YWRtaW4='],
    ['a blank header', ''],
    ['a token of a kilobyte', `Bearer ${'x'.repeat(1_024)}`],
  ])('is refused with %s', async (_, authorization) => {
    const wrong = caller({ authorization })
    expect(await answersOf(wrong, METHODS, NOTHING)).toEqual(all(METHODS, 'TOKEN_INVALID'))
  })

  test('is refused with a wrong token even when a good certificate comes with it', async () => {
    const wrong = caller({ authorization: 'Bearer wrong', identity: agent })
    expect(await answersOf(wrong, METHODS, NOTHING)).toEqual(all(METHODS, 'TOKEN_INVALID'))
  })

  test('is refused with a certificate of another CA, as if it brought none', async () => {
    const { keyPem, csrDer } = makeAgentKey('worker-1')
    const { chainPem } = await (await createFakeAuthority()).sign(csrDer)
    const stranger = caller({ identity: { keyPem, chainPem } })
    expect(await answersOf(stranger, isGuarded, NOTHING)).toEqual(
      all(isGuarded, 'CREDENTIALS_MISSING'),
    )
  })

  test('is refused to an agent, but for health and its own service', async () => {
    const token = METHODS.filter(({ access }) => access === 'token')
    expect(await answersOf(caller({ identity: agent }), token, NOTHING)).toEqual(
      all(token, 'PERMISSION_MISSING'),
    )
  })

  test('of the agents is refused to an admin token', async () => {
    const agents = METHODS.filter(({ access }) => access === 'agent')
    expect(agents).toHaveLength(2)
    expect(await answersOf(admin(), agents, NOTHING)).toEqual(all(agents, 'PERMISSION_MISSING'))
    const enroll = METHODS.filter(({ access }) => access === 'joining')
    expect(await answersOf(admin(), enroll, NOTHING)).toEqual(all(enroll, 'CREDENTIALS_MISSING'))
  })

  test('answers something defined to an empty request', async () => {
    const answers = await answersOf(admin(), METHODS, NOTHING)
    expect(answers.filter((answer) => answer.endsWith(' INTERNAL'))).toEqual([])
    const later = answers.filter((answer) => answer.endsWith(' METHOD_UNAVAILABLE'))
    // Those of this release; all others say that they come later.
    expect(METHODS.length - later.length).toBe(answersToday().length)
    for (const path of answersToday()) {
      expect(answers.find((answer) => answer.startsWith(`${path} `))).not.toContain('UNAVAILABLE')
    }
  })

  test('says INVALID_ARGUMENT to bytes that cannot be decoded', async () => {
    const today = new Set(answersToday())
    const methods = METHODS.filter(({ path }) => today.has(path))
    const agents = methods.filter(({ access }) => access === 'agent' || access === 'joining')
    const others = methods.filter(({ access }) => access === 'token' || access === 'public')
    expect(await answersOf(admin(), others, UNDECODABLE)).toEqual(all(others, 'MESSAGE_MALFORMED'))
    expect(await answersOf(caller({ identity: agent }), agents, UNDECODABLE)).toEqual(
      all(agents, 'MESSAGE_MALFORMED'),
    )
  })

  test('that nobody has heard of is not found', async () => {
    for (const by of [admin(), caller({})]) {
      const answer = await by.call('/rota.v1.JobService/DropEverything', 'unary', NOTHING)
      expect(answer).toBeInstanceOf(RotaError)
    }
  })
})

test('a refused call changes nothing', async () => {
  const request = CreateJobRequest.fromPartial({
    jobId: 'intruder',
    job: { spec: { task: { kind: { $case: 'shell', value: { command: 'id' } } } } },
  })
  const bytes = Buffer.from(CreateJobRequest.encode(request).finish())
  const path = '/rota.v1.JobService/CreateJob'
  for (const by of [
    caller({}),
    caller({ authorization: 'Bearer x' }),
    caller({ identity: agent }),
  ]) {
    expect(await by.call(path, 'unary', bytes)).toBeInstanceOf(RotaError)
  }
  const { rows } = await sql<{ jobs: number }>`select count(*) as jobs from rota.job`.execute(
    rota.db,
  )
  expect(rows[0]?.jobs).toBe(0)
  expect(refusal(await admin().call(path, 'unary', bytes))).toBe('answered')
})

test('a reason has the gRPC code of the catalogue', async () => {
  const refused = await caller({}).call('/rota.v1.JobService/ListJobs', 'unary', NOTHING)
  const denied = await caller({ identity: agent }).call(
    '/rota.v1.JobService/ListJobs',
    'unary',
    NOTHING,
  )
  expect([refused, denied].map((error) => (error as RotaError).code)).toEqual([
    'UNAUTHENTICATED',
    'PERMISSION_DENIED',
  ])
  const codes = [refused, denied].map((error) =>
    Reflect.get((error as Error).cause as object, 'code'),
  )
  expect(codes).toEqual([ERROR_CODES.UNAUTHENTICATED.grpc, ERROR_CODES.PERMISSION_DENIED.grpc])
})

function answersToday(): string[] {
  return [
    ...['ListJobs', 'GetJob', 'CreateJob', 'UpdateJob', 'DeleteJob', 'GetJobStatus', 'PauseJob'],
    ...['ResumeJob', 'TriggerJob', 'BatchTriggerJobs', 'ListJobVersions', 'ListOccurrences'],
    ...['PreviewSchedule', 'ListUpcomingRuns', 'RollbackJob', 'ExplainOccurrence', 'SkipJob'],
    ...['BackfillJob'],
  ]
    .map((name) => `/rota.v1.JobService/${name}`)
    .concat(
      [
        ...['ListExecutions', 'GetExecution', 'CancelExecution', 'TailExecutionLogs'],
        ...['ListExecutionEvents', 'ExplainExecution'],
      ].map((name) => `/rota.v1.ExecutionService/${name}`),
      [
        ...['ListWorkers', 'GetWorker', 'CreateEnrollmentToken', 'CordonWorker', 'DrainWorker'],
        ...['ReleaseWorker', 'DeleteWorker', 'UpdateWorker', 'GetWorkerStats'],
      ].map((name) => `/rota.v1.WorkerService/${name}`),
      [
        ...['ListCalendars', 'GetCalendar', 'CreateCalendar', 'UpdateCalendar', 'DeleteCalendar'],
        'ImportCalendar',
      ].map((name) => `/rota.v1.CalendarService/${name}`),
      ['ListFreezes', 'GetFreeze', 'CreateFreeze', 'EndFreeze', 'DeleteFreeze'].map(
        (name) => `/rota.v1.FreezeService/${name}`,
      ),
      ['GetHealth', 'GetStats', 'GetServerInfo', 'WatchEvents'].map(
        (name) => `/rota.v1.SystemService/${name}`,
      ),
      ['Enroll', 'Connect', 'PushLogs'].map((name) => `/rota.agent.v1.AgentService/${name}`),
      ['Check', 'Watch'].map((name) => `/grpc.health.v1.Health/${name}`),
      ['/grpc.reflection.v1.ServerReflection/ServerReflectionInfo'],
      ['/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo'],
    )
}
