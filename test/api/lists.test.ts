import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  EXECUTION_LIST,
  JOB_LIST,
  OCCURRENCE_LIST,
  WORKER_LIST,
} from '../../coordinator/rpc/lists.ts'
import { Job } from '../../proto/gen/rota/v1/job.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { joinScripted } from '../support/scripted-agent.ts'
import { schedule, shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

interface ListRequest {
  readonly pageSize?: number
  readonly pageToken?: string
  readonly filter?: string
  readonly orderBy?: string
}

interface ListAnswer {
  readonly names: string[]
  readonly nextPageToken: string
}

type List = (request: ListRequest) => Promise<ListAnswer>

const JOBS = ['a', 'b', 'c', 'd', 'e', 'f', 'g']

let rota: TestCoordinator
const lists = {
  jobs: async (request: ListRequest) => {
    const { jobs, nextPageToken } = await rota.jobs.listJobs(request)
    return { names: jobs.map(({ name }) => name), nextPageToken }
  },
  executions: async (request: ListRequest) => {
    const { executions, nextPageToken } = await rota.executions.listExecutions(request)
    return { names: executions.map(({ name }) => name), nextPageToken }
  },
  workers: async (request: ListRequest) => {
    const { workers, nextPageToken } = await rota.workers.listWorkers(request)
    return { names: workers.map(({ name }) => name), nextPageToken }
  },
  occurrences: async ({ orderBy: _, ...request }: ListRequest) => {
    const { occurrences, nextPageToken } = await rota.jobs.listOccurrences(request)
    return {
      names: occurrences.map(({ job, scheduledFor }) => `${job}@${scheduledFor?.toISOString()}`),
      nextPageToken,
    }
  },
} satisfies Record<string, List>

beforeAll(async () => {
  rota = await startTestCoordinator()
  for (const [index, name] of JOBS.entries()) {
    const labels = { team: index % 2 === 0 ? 'ops' : 'data' }
    await rota.jobs.createJob({
      jobId: name,
      job: { ...jobOf(shell('true')), displayName: `Job ${name}`, labels, tags: [`tag-${name}`] },
    })
    await rota.trigger(name)
  }
  for (const name of ['w1', 'w2', 'w3']) await joinScripted(rota, name)
  await rota.createJob('ticking', {
    ...shell('true'),
    ...schedule({ every: { seconds: '1', nanos: 0 } }),
  })
  await until('three due times have passed', async () => (await all(lists.occurrences)).length >= 3)
  await rota.jobs.pauseJob({ name: 'jobs/ticking' })
})

afterAll(async () => {
  await rota.remove()
})

function jobOf(spec: object) {
  return Job.fromJSON({ spec })
}

/** Everything, two at a time; `between` happens after each page. */
async function all(
  list: List,
  request: ListRequest = {},
  between: () => Promise<unknown> = async () => {},
): Promise<string[]> {
  const names: string[] = []
  let pageToken = ''
  do {
    const page = await list({ ...request, pageSize: 2, pageToken })
    expect(page.names.length).toBeLessThanOrEqual(2)
    names.push(...page.names)
    pageToken = page.nextPageToken
    await between()
  } while (pageToken !== '')
  return names
}

async function reasonOf(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'answered'
  } catch (error) {
    return error instanceof RotaError ? error.reason : String(error)
  }
}

describe('paging', () => {
  test.each(Object.keys(lists) as (keyof typeof lists)[])(
    'through all %s gives each once, in order',
    async (kind) => {
      const whole = await lists[kind]({})
      expect(whole.nextPageToken).toBe('')
      const paged = await all(lists[kind])
      expect(paged).toEqual(whole.names)
      expect(new Set(paged).size).toBe(paged.length)
      expect(paged.length).toBeGreaterThan(2)
    },
  )

  test('is not disturbed by rows that come and go meanwhile', async () => {
    let round = 0
    const names = await all(lists.jobs, {}, async () => {
      round += 1
      // One before what was shown, which is not seen, and one behind it, which is.
      await rota.createJob(`a-new-${round}`, shell('true'))
      await rota.createJob(`zz-new-${round}`, shell('true'))
      if (round > 3) await rota.jobs.deleteJob({ name: `jobs/zz-new-${round}` })
    })
    expect(new Set(names).size).toBe(names.length)
    expect(names).toEqual([...names].sort())
    for (const name of JOBS) expect(names).toContain(`jobs/${name}`)
    expect(names).toContain('jobs/zz-new-1')
  })

  test.each([
    ['jobs', JOB_LIST.sortable],
    ['executions', EXECUTION_LIST.sortable],
    ['workers', WORKER_LIST.sortable],
  ] as const)('through %s gives each once in every order there is', async (kind, sortable) => {
    const expected = (await lists[kind]({})).names.sort()
    for (const field of sortable) {
      const upwards = await all(lists[kind], { orderBy: field })
      const downwards = await all(lists[kind], { orderBy: `${field} desc` })
      expect([...upwards].sort(), field).toEqual(expected)
      expect([...downwards].sort(), field).toEqual(expected)
    }
    const names = await all(lists[kind], { orderBy: 'name' })
    expect(names).toEqual([...names].sort())
    expect(await all(lists[kind], { orderBy: 'name desc' })).toEqual([...names].reverse())
  })
})

describe('a page token', () => {
  test('that is damaged is refused', async () => {
    const { nextPageToken } = await lists.jobs({ pageSize: 2 })
    const damaged = [
      nextPageToken.slice(0, -3),
      `${nextPageToken}x`,
      nextPageToken.replace(/^./, (first) => (first === 'a' ? 'b' : 'a')),
      'nonsense',
      '%%%',
      Buffer.from(JSON.stringify({ k: ['a'], h: 'forged' })).toString('base64url'),
      Buffer.from('null').toString('base64url'),
      'x'.repeat(10_000),
    ]
    for (const pageToken of damaged) {
      expect(await reasonOf(lists.jobs({ pageSize: 2, pageToken })), pageToken.slice(0, 40)).toBe(
        'PAGE_TOKEN_INVALID',
      )
    }
  })

  test('of another list, filter or order is refused', async () => {
    const { nextPageToken: pageToken } = await lists.jobs({ pageSize: 2 })
    const foreign = [
      lists.executions({ pageSize: 2, pageToken }),
      lists.jobs({ pageSize: 2, pageToken, filter: 'state = ACTIVE' }),
      lists.jobs({ pageSize: 2, pageToken, orderBy: 'name desc' }),
      rota.jobs.listJobs({ pageSize: 2, pageToken, query: 'x' }),
    ]
    expect(await Promise.all(foreign.map(reasonOf))).toEqual(
      foreign.map(() => 'PAGE_TOKEN_INVALID'),
    )
    expect(await reasonOf(rota.jobs.listJobVersions({ name: 'jobs/a', pageToken }))).toBe(
      'PAGE_TOKEN_INVALID',
    )
  })

  test('may come with another page size', async () => {
    const { names, nextPageToken: pageToken } = await lists.jobs({ pageSize: 2 })
    const rest = await lists.jobs({ pageSize: 100, pageToken })
    expect([...names, ...rest.names]).toEqual((await lists.jobs({})).names)
  })

  test('is not needed below the page size, and a negative size is refused', async () => {
    expect((await lists.jobs({ pageSize: 1_000_000 })).nextPageToken).toBe('')
    for (const list of Object.values(lists)) {
      expect(await reasonOf(list({ pageSize: -1 }))).toBe('FIELD_INVALID')
    }
    expect(await reasonOf(rota.jobs.listJobVersions({ name: 'jobs/a', pageSize: -1 }))).toBe(
      'FIELD_INVALID',
    )
  })
})

describe('a filter', () => {
  test.each([
    ['name = a', ['a']],
    ['name = a OR name = b', ['a', 'b']],
    ['labels.team = ops AND NOT name = a', ['c', 'e', 'g']],
    ['labels:team AND labels.team != ops', ['b', 'd', 'f']],
    ['tags:tag-c', ['c']],
    ['display_name:"JOB D"', ['d']],
    ['state = paused', ['ticking']],
    ['create_time > "2000-01-01T00:00:00Z" AND name = e', ['e']],
    ['create_time < "2000-01-01"', []],
    ['name = "nobody"', []],
  ])('%s finds what it says', async (filter, expected) => {
    const { names } = await lists.jobs({ filter })
    expect(names.filter((name) => !name.includes('-new-'))).toEqual(
      expected.map((name) => `jobs/${name}`),
    )
  })

  test('finds executions by job, state and trigger', async () => {
    const { names } = await lists.executions({ filter: 'job = a' })
    expect(names).toHaveLength(1)
    const [name = ''] = names
    expect((await lists.executions({ filter: `name = ${name.split('/')[1]}` })).names).toEqual(
      names,
    )
    expect((await lists.executions({ filter: 'trigger = SCHEDULE' })).names.length).toBeGreaterThan(
      2,
    )
    expect(
      (await lists.executions({ filter: 'state = QUEUED AND priority = 50' })).names.length,
    ).toBe((await lists.executions({})).names.length)
    expect(await rota.executions.listExecutions({ job: 'jobs/b' })).toMatchObject({ totalSize: 1 })
  })

  test.each([
    ['jobs', JOB_LIST],
    ['executions', EXECUTION_LIST],
    ['workers', WORKER_LIST],
    ['occurrences', OCCURRENCE_LIST],
  ] as const)('of %s is answered or refused, whatever it compares', async (kind, definition) => {
    const fields = Object.keys(definition.fields).flatMap((field) =>
      field === 'labels' ? ['labels', 'labels.team'] : [field],
    )
    const values = [
      'x',
      '5',
      '5.5',
      '99999999999999999999',
      '-1',
      '"2026-11-01T00:00:00Z"',
      '0000-01-01',
    ]
    const reasons = new Set<string>()
    for (const field of fields) {
      // All at once would be more than a slow machine answers before a call gives up its wait for a connection.
      for (const operator of ['=', '!=', '<', '<=', '>', '>=', ':']) {
        const filters = values.map((value) => `${field} ${operator} ${value}`)
        const ask = async (filter: string) => reasonOf(lists[kind]({ filter }))
        const answers = await Promise.all(filters.map(ask))
        for (const reason of answers) reasons.add(reason)
        expect(filters.filter((_, index) => answers[index] === 'INTERNAL')).toEqual([])
      }
    }
    expect([...reasons].sort()).toEqual(['FILTER_INVALID', 'answered'])
  })

  test('that cannot be read is refused with the position and a near name', async () => {
    await expect(lists.jobs({ filter: 'nam = a' })).rejects.toMatchObject({
      reason: 'FILTER_INVALID',
      message: expect.stringContaining('at character 1'),
      violations: [{ field: 'filter', message: expect.stringContaining('Did you mean name?') }],
    })
    await expect(lists.jobs({ orderBy: 'labels' })).rejects.toMatchObject({
      reason: 'FILTER_INVALID',
    })
  })
})

test('the versions of a job come newest first, page by page', async () => {
  await rota.createJob('versioned', shell('true'))
  for (const command of ['echo 2', 'echo 3', 'echo 4']) {
    const job = { ...jobOf(shell(command)), name: 'jobs/versioned' }
    await rota.jobs.updateJob({ job, updateMask: ['spec'] })
  }
  const first = await rota.jobs.listJobVersions({ name: 'jobs/versioned', pageSize: 3 })
  const { nextPageToken: pageToken } = first
  const rest = await rota.jobs.listJobVersions({ name: 'jobs/versioned', pageSize: 3, pageToken })
  expect([...first.versions, ...rest.versions].map(({ version }) => version)).toEqual([4, 3, 2, 1])
  expect(rest.nextPageToken).toBe('')
})
