import { Client } from 'pg'
import { describe, expect, test } from 'vitest'
import { parseAddresses } from '../../../../coordinator/store/addresses.ts'

/** What the driver makes of each address. */
function servers(url: string) {
  return parseAddresses(url).map(({ config }) => {
    const { host, port, user, password, database } = new Client(config)
    return { host, port, user, password, database }
  })
}

describe('a URL of several servers', () => {
  test('names them in its order, each with its port', () => {
    const url = 'postgres://ada:s%40cret@db1:5432,db2:5433,db3/rota?target_session_attrs=read-write'
    const common = { user: 'ada', password: 's@cret', database: 'rota' }
    expect(servers(url)).toEqual([
      { host: 'db1', port: 5432, ...common },
      { host: 'db2', port: 5433, ...common },
      { host: 'db3', port: 5432, ...common },
    ])
  })

  test('may give hosts and ports as parameters, and one port for all', () => {
    expect(servers('postgresql://ada@/rota?host=db1,db2&port=6000')).toMatchObject([
      { host: 'db1', port: 6000 },
      { host: 'db2', port: 6000 },
    ])
    expect(servers('postgresql://ada@/rota?host=/run/a,/run/b&port=1,2')).toMatchObject([
      { host: '/run/a', port: 1 },
      { host: '/run/b', port: 2 },
    ])
  })

  test('may hold addresses of IPv6', () => {
    expect(servers('postgres://ada@[::1]:6000,[fe80::2]/rota')).toMatchObject([
      { host: '::1', port: 6000 },
      { host: 'fe80::2', port: 5432 },
    ])
  })

  test('is named in logs without user and password', () => {
    const names = parseAddresses('postgres://ada:secret@db1,db2:7/rota').map(({ name }) => name)
    expect(names).toEqual(['db1:5432', 'db2:7'])
  })

  test('keeps the other parameters for every server', () => {
    for (const { config } of parseAddresses('postgres://ada@a,b/rota?sslmode=disable')) {
      expect(config.connectionString).toContain('sslmode=disable')
    }
  })
})

test.each([
  'postgres://ada:pw@db/rota',
  'postgresql://db:1/x',
  'postgres://u@/db?host=/run/pg&port=9',
])('a URL of one server, %s, is the same as to the driver', (url) => {
  const { host, port, user, password, database } = new Client(url)
  expect(servers(url)).toEqual([{ host, port, user, password, database }])
})

test.each([
  ['mysql://root:hunter2@db/x', 'URL'],
  ['rota-database', 'URL'],
  ['postgres://a:hunter2@db1,db2:x/rota', 'port'],
  ['postgres://a:hunter2@db1:1,db2:2,db3:70000/rota', 'port'],
  ['postgres://a:hunter2@/rota?host=a,b,c&port=1,2', 'as many as hosts'],
  ['postgres://a:hunter2@db/rota?target_session_attrs=standby', 'target_session_attrs'],
  [`postgres://a:hunter2@${Array(17).fill('db')}/rota`, 'at most 16'],
])('%s is refused without its password', (url, why) => {
  const parse = () => parseAddresses(url)
  expect(parse).toThrow(why)
  expect(parse).not.toThrow('hunter2')
})
