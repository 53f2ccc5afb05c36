/** Lists of the API, page by page. */
import type { Command } from 'commander'
import type { Invocation } from './action.ts'
import { readInteger } from './option-values.ts'
import { isForMachine, talk } from './output/present.ts'

export interface ListOptions {
  readonly filter?: string
  readonly sort?: string
  readonly limit?: string
  readonly all?: boolean
}

const LIMIT = 50
const LIMIT_MAX = 1_000_000
/** A message holds so many executions with outputs of full size. */
const PAGE_SIZE_MAX = 200

export interface PageRequest {
  readonly pageSize: number
  readonly pageToken: string
}

interface Page<T> {
  readonly items: readonly T[]
  readonly nextPageToken: string
  readonly totalSize: number
}

export function addListOptions(command: Command): Command {
  return command
    .option('--filter <expression>', "only what matches, e.g. 'state = FAILED AND priority > 50'")
    .option('--sort <fields>', 'order, e.g. "create_time desc"')
    .option('--limit <count>', `at most this many (default ${LIMIT})`)
    .option('--all', 'as many as there are')
}

/** Fetches pages until there are as many items as `options` want, or no more. */
export async function collectPages<T>(
  options: ListOptions,
  fetchPage: (page: PageRequest) => Promise<Page<T>>,
): Promise<Page<T>> {
  const limit = readLimit(options)
  const items: T[] = []
  let pageToken = ''
  for (;;) {
    const pageSize = Math.min(limit - items.length, PAGE_SIZE_MAX)
    const page = await fetchPage({ pageSize, pageToken })
    items.push(...page.items)
    pageToken = page.nextPageToken
    // A page may be empty although more follow (AIP-158).
    if (pageToken === '' || items.length >= limit) return { ...page, items }
  }
}

/** Says on stderr that there is more. */
export async function talkOfMore(invocation: Invocation, page: Page<unknown>): Promise<void> {
  if (page.nextPageToken === '' || isForMachine(invocation)) return
  const total = page.totalSize > page.items.length ? ` of ${page.totalSize}` : ''
  await talk(invocation, `${page.items.length}${total} shown. More with --limit N or --all.`)
}

/** Several conditions that must all hold; empty ones are left out. */
export function joinFilters(...filters: readonly (string | undefined)[]): string {
  const given = filters.filter((filter) => filter !== undefined && filter !== '')
  return given.length < 2 ? (given[0] ?? '') : given.map((filter) => `(${filter})`).join(' AND ')
}

function readLimit({ limit, all }: ListOptions): number {
  if (all) return LIMIT_MAX
  return limit === undefined ? LIMIT : readInteger('--limit', limit, { min: 1, max: LIMIT_MAX })
}
