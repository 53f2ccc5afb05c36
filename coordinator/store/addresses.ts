/** DATABASE_URL that names several servers, as libpq reads it (PostgreSQL docs, 34.1.1.3). Pure. */
import type pg from 'pg'

/** One server that may be the primary. */
export interface ServerAddress {
  /** For people and logs: without user and password. */
  readonly name: string
  readonly config: Readonly<pg.ClientConfig>
}

const URL_PARTS = /^(postgres(?:ql)?:\/\/)([^/?#]*@)?([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?$/
const HOST_PORT = /^(\[[^\]]+\]|[^:[\]]*)(?::(\d+))?$/
const ADDRESSES_MAX = 16
const DEFAULT_PORT = '5432'

/** Rota must write: these are the ones of libpq that lead to a primary. */
const SESSION_ATTRS = ['any', 'read-write', 'primary']

/** The servers of a URL, in its order. Throws RangeError, without any secret, for what libpq would not take either. */
export function parseAddresses(url: string): ServerAddress[] {
  const [, scheme = '', user = '', authority = '', path = '', query = ''] =
    URL_PARTS.exec(url) ?? refuse('it is not a URL of PostgreSQL')
  const parameters = new URLSearchParams(query)
  const attrs = take(parameters, 'target_session_attrs') ?? 'any'
  if (!SESSION_ATTRS.includes(attrs))
    refuse(`target_session_attrs must be ${SESSION_ATTRS.join(', ')}`)
  const written = authority.split(',').map(parseHostPort)
  const hosts = take(parameters, 'host')?.split(',') ?? written.map(({ host }) => host)
  if (hosts.length > ADDRESSES_MAX) refuse(`it may name at most ${ADDRESSES_MAX} servers`)
  const ports = portsOf(
    take(parameters, 'port')?.split(',') ?? written.map(({ port }) => port),
    hosts,
  )
  return hosts.map((host, index) => {
    const port = ports[index] || DEFAULT_PORT
    const own = new URLSearchParams(parameters)
    if (host !== '') own.set('host', host)
    own.set('port', port)
    const name = host.startsWith('/') ? host : `${host || 'localhost'}:${port}`
    return { name, config: { connectionString: `${scheme}${user}${path || '/'}?${own}` } }
  })
}

function parseHostPort(text: string): { readonly host: string; readonly port: string } {
  const [, host = '', port = ''] = HOST_PORT.exec(text) ?? refuse('a host or its port is malformed')
  return { host: decodeURIComponent(host.replace(/^\[(.*)\]$/, '$1')), port }
}

/** One port is for all hosts; else there is one for each. */
function portsOf(ports: readonly string[], hosts: readonly string[]): readonly string[] {
  if (!ports.every((port) => port === '' || isPort(port)))
    refuse('a port is not a number up to 65535')
  if (ports.length === hosts.length) return ports
  if (ports.length === 1) return hosts.map(() => ports[0] ?? '')
  return refuse('it must have one port, or as many as hosts')
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535
}

function take(parameters: URLSearchParams, name: string): string | undefined {
  const value = parameters.get(name)
  parameters.delete(name)
  return value ?? undefined
}

function refuse(why: string): never {
  throw new RangeError(why)
}
