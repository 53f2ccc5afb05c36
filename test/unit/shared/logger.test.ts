import { expect, test } from 'vitest'
import { createLogger } from '../../../shared/logger.ts'

function logged(
  write: (logger: ReturnType<typeof createLogger>) => void,
): Record<string, unknown>[] {
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  write(createLogger({ name: 'test', level: 'info', destination }))
  return lines.map((line) => JSON.parse(line))
}

test('a line is JSON with the name of its process', () => {
  expect(logged((logger) => logger.info({ job: 'backup' }, 'due'))).toMatchObject([
    { name: 'test', job: 'backup', msg: 'due' },
  ])
})

test('what is below the level is left out', () => {
  expect(logged((logger) => logger.debug('detail'))).toEqual([])
})

test('what may be a secret is never written', () => {
  const secret = 'hunter2'
  const lines = logged((logger) => {
    logger.info({ token: secret, password: secret, joinToken: secret, authorization: secret })
    logger.info({ request: { token: secret, authorization: secret, joinToken: secret } })
  })
  expect(lines).toHaveLength(2)
  expect(JSON.stringify(lines)).not.toContain(secret)
})
