/** Which execution a person means: a whole name, an id, the beginning of an id, or `@last`. */
import {
  ExecutionServiceService,
  ListExecutionsRequest,
} from '../proto/gen/rota/v1/execution_service.ts'
import { RotaError } from '../shared/errors/rota-error.ts'
import { isUuid } from '../shared/ids.ts'
import { resourceName } from '../shared/wire.ts'
import type { Api } from './client.ts'
import { toId, toName } from './names.ts'
import { usageError } from './option-values.ts'

const PAGE_SIZE = 50
/** So many are named when a beginning is that of several. */
const SHOWN_MAX = 3

/** Short ids in tables: all of the time part of a UUIDv7. */
const SHORT_LENGTH = 13

/** `executions/{uuid}`. `job` narrows `@last`. Throws EXECUTION_NOT_FOUND or EXECUTION_AMBIGUOUS. */
export async function resolveExecution(api: Api, text: string, job = ''): Promise<string> {
  if (text === '@last') return lastExecution(api, job)
  const id = (text.startsWith('executions/') ? toId(text) : text).toLowerCase()
  if (isUuid(id)) return resourceName('executions', id)
  if (!/^[0-9a-f-]{8,35}$/.test(id)) {
    throw usageError(
      'EXECUTION',
      `${JSON.stringify(text)} is no execution`,
      'Give its id, at least the first 8 characters of it, or @last.',
    )
  }
  const [found, ...others] = await findByPrefix(api, id)
  if (found === undefined) {
    throw new RotaError('EXECUTION_NOT_FOUND', `no execution begins with ${id}`)
  }
  if (others.length === 0) return found
  const shown = [found, ...others].slice(0, SHOWN_MAX).map(toId).join(', ')
  const more = others.length < SHOWN_MAX ? '' : ', ...'
  throw new RotaError('EXECUTION_AMBIGUOUS', `several executions begin with ${id}: ${shown}${more}`)
}

/** Shortest beginnings of `ids`, at least 13 characters, that tell them apart. */
export function shortIds(ids: readonly string[]): Map<string, string> {
  const distinct = new Set(ids)
  for (let length = SHORT_LENGTH; length < 36; length++) {
    const short = new Set([...distinct].map((id) => id.slice(0, length)))
    if (short.size === distinct.size) return new Map(ids.map((id) => [id, id.slice(0, length)]))
  }
  return new Map(ids.map((id) => [id, id]))
}

async function lastExecution(api: Api, job: string): Promise<string> {
  const request = ListExecutionsRequest.fromPartial({
    job: job === '' ? '' : toName('jobs', job),
    pageSize: 1,
  })
  const { executions } = await api.call(ExecutionServiceService.listExecutions, request)
  const [last] = executions
  if (last !== undefined) return last.name
  const of = job === '' ? '' : ` of ${toId(job)}`
  throw new RotaError('EXECUTION_NOT_FOUND', `there is no execution${of} yet`, {
    hint: 'Run a job now with `rota job trigger NAME`.',
  })
}

async function findByPrefix(api: Api, prefix: string): Promise<string[]> {
  const found: string[] = []
  let pageToken = ''
  do {
    const request = ListExecutionsRequest.fromPartial({
      filter: `name:"${prefix}"`,
      pageSize: PAGE_SIZE,
      pageToken,
    })
    const response = await api.call(ExecutionServiceService.listExecutions, request)
    const names = response.executions.map(({ name }) => name)
    // The filter finds it anywhere in the id.
    found.push(...names.filter((name) => toId(name).startsWith(prefix)))
    pageToken = response.nextPageToken
  } while (pageToken !== '' && found.length <= SHOWN_MAX)
  return found
}
