import { describe, expect, it } from 'vitest'
import { nameStatement, statementsOf } from '../../../bench/profile/name-statement.ts'
import { summariseCpu } from '../../../bench/profile/summarise-cpu.ts'

interface Rest {
  readonly name?: string
  readonly children?: readonly number[]
}

function node(id: number, url: string, rest: Rest = {}) {
  const { children = [], name = 'f' } = rest
  return { id, callFrame: { functionName: name, url }, children }
}

describe('a CPU profile', () => {
  const profile = {
    nodes: [
      node(1, '', { name: '(root)', children: [2, 6, 7] }),
      node(2, 'file:///x/coordinator/match/match-loop.ts', { children: [3] }),
      node(3, 'file:///x/node_modules/pg/lib/client.js', { children: [4] }),
      node(4, 'node:net'),
      node(5, ''),
      node(6, '', { name: '(idle)' }),
      node(7, 'file:///x/node_modules/@grpc/grpc-js/build/src/call.js'),
    ],
    samples: [2, 3, 4, 6, 7],
    timeDeltas: [10, 20, 30, 1_000, 40],
  }

  it('gives what libraries do to the step that called them', () => {
    expect(summariseCpu(profile).bySteps).toEqual([
      ['coordinator/match', 60],
      ['@grpc/grpc-js', 40],
    ])
  })

  it('also tells whose code it was, and leaves idle time out', () => {
    const { busyUs, byOwners } = summariseCpu(profile)
    expect(busyUs).toBe(100)
    expect(Object.fromEntries(byOwners)).toEqual({
      coordinator: 10,
      pg: 20,
      node: 30,
      '@grpc/grpc-js': 40,
    })
  })
})

/** As a source has it. */
function hole(content: string): string {
  return `$\{${content}}`
}

describe('the name of a statement', () => {
  const known = statementsOf(
    [
      'await sql`/* claim */',
      '  with moved as (',
      `    update rota.execution e set state = 'assigned' where id = any (${hole('ids')}::uuid[]) limit 5`,
      `  ), told as (${hole('tellMoved({ a: 1 }, sql`x`)')})`,
      '  select id from moved`.execute(db)',
      'await sql`/* ping */ select 1`',
      "await sql`/* put */ update rota.execution set worker_id = null where state in ('assigned', 'running') and b is null`",
      `await sql\`/* composed */ ${hole('named')}\``,
      'await sql`/* other */ with moved as (delete from rota.execution) select 1`',
    ].join('\n'),
  )

  it('is found by its text, whatever stands for parameters and constants', () => {
    const query = `with moved as (
      update rota.execution e set state = $3 where id = any ($1::uuid[]) limit $4
    ), told as (insert into rota.event select $2) select id from moved`
    expect(nameStatement(query, known)).toBe('claim')
  })

  it('is found where a null or a list of constants has become a parameter', () => {
    const query =
      'update rota.execution set worker_id = $1 where state in ($2 /*, ... */) and b is null'
    expect(nameStatement(query, known)).toBe('put')
  })

  it('is unknown for what nobody has written', () => {
    expect(nameStatement('select $1', known)).toBe('ping')
    expect(nameStatement('select 1 from somewhere', known)).toBeUndefined()
  })
})
