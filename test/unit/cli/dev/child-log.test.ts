import { expect, it } from 'vitest'
import { describeLine } from '../../../../cli/dev/child-log.ts'

it('shows a line of the log as a person reads it', () => {
  const line = { level: 50, time: 1, msg: 'cannot listen', err: { message: 'EADDRINUSE' } }
  expect(describeLine(JSON.stringify(line))).toBe('error: cannot listen: EADDRINUSE')
  expect(describeLine('{"level":30,"msg":"started"}')).toBe('info: started')
})

it('shows what is no log line as it is', () => {
  expect(describeLine('Segmentation fault')).toBe('Segmentation fault')
  expect(describeLine('null')).toBe('null')
  expect(describeLine('{"a":1}')).toBe('{"a":1}')
})
