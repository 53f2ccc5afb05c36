/** The HTTP port. In this release: probes for load balancers and people, nothing that needs credentials. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { RotaError } from '../../shared/errors/rota-error.ts'
import type { Service } from '../../shared/service.ts'
import type { Deps } from '../deps.ts'
import { createDatabaseCheck, type DatabaseCheck } from '../observe/readiness.ts'
import { VERSION } from '../version.ts'

export interface HttpServer extends Service {
  /** `host:port` once started. */
  address(): string
}

const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
/** Probes come from few places. */
const CONNECTIONS_MAX = 1_000

export function createHttpServer(
  deps: Deps,
  options: { readonly host: string; readonly port: number },
): HttpServer {
  const server = createServer({
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
  })
  const checkDatabase = createDatabaseCheck(deps)
  server.maxConnections = CONNECTIONS_MAX
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    answer(checkDatabase, request, response).catch((error: unknown) => {
      deps.logger.error({ err: error }, 'an HTTP request failed')
      response.destroy()
    })
  })
  let port = options.port
  return {
    address: () => `${options.host}:${port}`,
    async start() {
      port = await listen(server, options)
    },
    async stop() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

async function answer(
  checkDatabase: () => Promise<DatabaseCheck>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return send(response, 405, { status: 'not allowed' })
  switch (request.url?.split('?')[0]) {
    // Alive: this process answers. It does not ask the database, whose absence no restart of ours would mend.
    case '/healthz':
      return send(response, 200, { status: 'ok', version: VERSION })
    case '/readyz': {
      const { isReady, message } = await checkDatabase()
      return send(response, isReady ? 200 : 503, { status: isReady ? 'ready' : message })
    }
    default:
      return send(response, 404, { status: 'not found' })
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  response.end(`${JSON.stringify(body)}\n`)
}

function listen(server: Server, { host, port }: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new RotaError('UNREACHABLE', `HTTP cannot listen on ${host}:${port}: ${error.message}`, {
          hint: 'Is another coordinator running there? Choose another port with --http-port.',
          cause: error,
        }),
      ),
    )
    server.listen(port, host, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}
