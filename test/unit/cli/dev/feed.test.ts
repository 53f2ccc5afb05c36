import { expect, it } from 'vitest'
import { createFeed, renderEnd } from '../../../../cli/dev/feed.ts'
import { timeOfDay } from '../../../../cli/output/time.ts'
import { Execution, ExecutionState } from '../../../../proto/gen/rota/v1/execution.ts'
import {
  ListExecutionsRequest,
  ListExecutionsResponse,
} from '../../../../proto/gen/rota/v1/execution_service.ts'

const at = (second: number) => new Date(Date.UTC(2026, 10, 20, 10, 15, second))
const screen = {
  now: at(0),
  width: undefined,
  isWide: false,
  paint: (_: string, text: string) => text,
}

function execution(id: string, endTime: Date): Execution {
  return Execution.fromPartial({
    name: `executions/${id}`,
    job: 'jobs/samples.disk-usage',
    state: ExecutionState.SUCCEEDED,
    startTime: new Date(endTime.getTime() - 200),
    endTime,
    attempts: [{ worker: 'workers/worker-3' }],
  })
}

/** Answers as the coordinator does: newest first. */
function fakeApi(executions: Execution[]) {
  const requests: ListExecutionsRequest[] = []
  const call = async <Q, R>(_method: unknown, request: Q): Promise<R> => {
    const asked = ListExecutionsRequest.fromPartial(request as ListExecutionsRequest)
    requests.push(asked)
    const from = new Date(/"(.*)"/.exec(asked.filter)?.[1] ?? '')
    const found = executions
      .filter(({ endTime }) => endTime !== undefined && endTime >= from)
      .sort((a, b) => b.endTime!.getTime() - a.endTime!.getTime())
      .slice(0, asked.pageSize)
    return ListExecutionsResponse.fromPartial({
      executions: found,
      nextPageToken: found.length < executions.length ? 'more' : '',
    }) as R
  }
  return { call, requests, executions }
}

it('says when, what, where, how and how long', () => {
  const ended = execution('a', at(2))
  expect(renderEnd({ ...ended, endTime: at(2) }, screen)).toBe(
    `${timeOfDay(at(2))}  samples.disk-usage      worker-3   succeeded  200ms`,
  )
})

it('says why one did not succeed, on one line', () => {
  const failed = {
    ...execution('a', at(2)),
    endTime: at(2),
    state: ExecutionState.FAILED,
    reason: { code: 'EXIT_CODE', message: 'exit code 1\nsecond line', details: {} },
  }
  const line = renderEnd(failed, screen)
  expect(line).toContain('failed     200ms  exit code 1\\nsecond line')
  const narrow = renderEnd(failed, { ...screen, width: 60 })
  expect(narrow).toHaveLength(60)
})

it('shows each execution once, oldest first', async () => {
  const api = fakeApi([execution('a', at(3)), execution('b', at(2))])
  const feed = createFeed(api, at(0), () => screen)
  expect((await feed.readNew()).map((line) => line.slice(0, 8))).toEqual([
    timeOfDay(at(2)),
    timeOfDay(at(3)),
  ])
  expect(await feed.readNew()).toEqual([])
  api.executions.push(execution('c', at(4)))
  expect(await feed.readNew()).toHaveLength(1)
})

it('shows one that was recorded after a later one', async () => {
  const api = fakeApi([execution('late', at(20))])
  const feed = createFeed(api, at(0), () => screen)
  await feed.readNew()
  api.executions.push(execution('early', at(11)))
  expect(await feed.readNew()).toHaveLength(1)
})

it('shows nothing from before it began', async () => {
  const api = fakeApi([execution('old', at(5))])
  const feed = createFeed(api, at(10), () => screen)
  expect(await feed.readNew()).toEqual([])
  expect(api.requests[0]?.filter).toBe(`end_time >= "${at(10).toISOString()}"`)
})

it('counts on the reader when there are too many', async () => {
  const api = fakeApi(
    Array.from({ length: 60 }, (_, index) => execution(`e${index}`, at(index % 50))),
  )
  const lines = await createFeed(api, at(0), () => screen).readNew()
  expect(lines).toHaveLength(51)
  expect(lines.at(-1)).toContain('and more')
})
