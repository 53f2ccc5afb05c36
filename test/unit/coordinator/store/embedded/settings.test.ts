import { expect, it } from 'vitest'
import { settingsArguments } from '../../../../../coordinator/store/embedded/settings.ts'

it('listens on a Unix socket only', () => {
  const args = settingsArguments({}, '/data/postgres/run')
  expect(args).toContain('listen_addresses=')
  expect(args).toContain('unix_socket_directories="/data/postgres/run"')
})

it('keeps a socket folder with a comma or a quote in one piece', () => {
  expect(settingsArguments({}, '/a, b"c')).toContain('unix_socket_directories="/a, b""c"')
})

it('does not weaken what makes data durable, unless told so', () => {
  const durable = /^(fsync|synchronous_commit|full_page_writes)=/
  expect(settingsArguments({}, '/run').filter((arg) => durable.test(arg))).toEqual([])
  expect(settingsArguments({ fsync: 'off' }, '/run')).toContain('fsync=off')
})

it('gives each setting once, the given one', () => {
  const args = settingsArguments({ max_connections: '7' }, '/run')
  expect(args.filter((arg) => arg.startsWith('max_connections='))).toEqual(['max_connections=7'])
})
