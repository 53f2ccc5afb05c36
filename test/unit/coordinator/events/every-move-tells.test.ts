import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const FOLDER = new URL('../../../../coordinator/', import.meta.url).pathname

/** The text of every raw statement, by the name that it begins with. */
function statements(): Map<string, string> {
  const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('-queries.ts'),
  )
  const texts = files.map((name) => readFileSync(join(FOLDER, name), 'utf8'))
  const found = texts.flatMap((text) => [...text.matchAll(/`\/\* (\w+) \*\/(.*?)`\.execute\(/gs)])
  return new Map(found.map(([, name = '', text = '']) => [name, text]))
}

const MOVES = [
  /insert into rota\.execution\b(?!_)/,
  /delete from rota\.execution\b(?!_)/,
  /update rota\.execution\b(?!_)(?:(?!\bwhere\b).)*\bset\b(?:(?!\bwhere\b).)*\bstate = /s,
]

test('every statement that moves executions tells of it in the same breath', () => {
  const moving = [...statements()].filter(([, text]) => MOVES.some((move) => move.test(text)))
  const names = moving.map(([name]) => name)
  for (const known of ['insertExecutions', 'claimQueued', 'recordStarted', 'settleExecutions']) {
    expect(names).toContain(known)
  }
  expect(names.length).toBeGreaterThanOrEqual(9)
  expect(moving.filter(([, text]) => !text.includes('tellMoved(')).map(([name]) => name)).toEqual(
    [],
  )
})
