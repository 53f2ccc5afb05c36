import { describe, expect, test } from 'vitest'
import { readConfig } from '../../../coordinator/config.ts'

function read(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const reading = readConfig(['--data-dir', '/data', ...args], env)
  if (reading.kind !== 'ok') throw new Error(JSON.stringify(reading))
  return reading.config
}

describe('settings', () => {
  test('have defaults that bind to loopback', () => {
    expect(read([])).toMatchObject({
      ...{ dataDir: '/data', databaseUrl: undefined, listen: '127.0.0.1', grpcPort: 7_420 },
      ...{ httpPort: 7_480, leaseMs: 12_000, logLevel: 'info', advertise: [] },
    })
  })

  test('of the command line win over variables, and these over defaults', () => {
    const env = { ROTA_GRPC_PORT: '1', ROTA_HTTP_PORT: '2', ROTA_LEASE: '' }
    expect(read(['--grpc-port', '3'], env)).toMatchObject({
      ...{ grpcPort: 3, httpPort: 2, leaseMs: 12_000 },
    })
  })

  test('take DATABASE_URL from the environment', () => {
    const DATABASE_URL = 'postgres://rota:secret@db:5432/rota'
    expect(read([], { DATABASE_URL }).databaseUrl).toBe(DATABASE_URL)
  })
})

test.each([
  [['--grpc-port', '70000'], 'port'],
  [['--grpc-port', 'x'], 'port'],
  [['--http-port=-1'], 'port'],
  [['--lease', '10ms'], 'duration'],
  [['--lease', 'soon'], 'duration'],
  [['--retention', '1s'], 'duration'],
  [['--agent-certificate-ttl', '9s'], 'duration'],
  [['--log-level', 'loud'], 'loud'],
  [['--no-such-option'], 'no-such-option'],
  [['positional'], 'positional'],
])('%j is refused with a hint', (args, message) => {
  const reading = readConfig(args, {})
  expect(reading).toMatchObject({ kind: 'error', message: expect.stringContaining(message) })
  expect(Reflect.get(reading, 'hint')).not.toBe('')
})

test('a DATABASE_URL that is none is refused, and not repeated: it may hold a password', () => {
  const reading = readConfig([], { DATABASE_URL: 'mysql://root:hunter2@db/x' })
  expect(reading.kind).toBe('error')
  expect(JSON.stringify(reading)).not.toContain('hunter2')
})
