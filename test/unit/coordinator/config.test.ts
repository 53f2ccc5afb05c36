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

test('advertised are names and addresses, with a port or without', () => {
  const { advertise } = read(['--advertise', 'a.example.net, 10.0.0.5:7421,[::1]:7422,2001:db8::1'])
  expect(advertise).toEqual([
    { host: 'a.example.net', port: undefined },
    { host: '10.0.0.5', port: 7421 },
    { host: '::1', port: 7422 },
    { host: '2001:db8::1', port: undefined },
  ])
})

test('a cluster key is taken from the variable, and is never repeated when it is none', () => {
  const key = 'ab'.repeat(32)
  expect(read([], { ROTA_CLUSTER_KEY: key }).clusterKey?.toString('hex')).toBe(key)
  expect(read([]).clusterKey).toBeUndefined()
  const reading = readConfig([], { ROTA_CLUSTER_KEY: 'hunter2' })
  expect(reading).toMatchObject({ kind: 'error', message: 'ROTA_CLUSTER_KEY is not a cluster key' })
  expect(JSON.stringify(reading)).not.toContain('hunter2')
})

test.each([
  [['--advertise', 'a b'], 'advertise'],
  [['--advertise', 'a:70000'], 'port'],
  [['--advertise', '[nonsense]:1'], 'advertise'],
  [['--cluster-key-file', '/no/such/file'], 'cluster-key-file'],
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
