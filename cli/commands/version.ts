import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import type { GetServerInfoResponse } from '../../proto/gen/rota/v1/system_service.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { addExamples, type Handler, type Invocation, type Run, setAction } from '../action.ts'
import { isServerKnown } from '../context.ts'
import { writeAll } from '../host.ts'
import { isForMachine, presentJson } from '../output/present.ts'

interface VersionOptions {
  readonly client?: boolean
}

/** `rota version` */
export function registerVersion(program: Command, run: Run): void {
  const version = program
    .command('version')
    .description('The version of this program, and of the coordinator when it answers.')
    .option('--client', 'of this program only')
  addExamples(version, 'rota version', 'rota version -o json')
  setAction(version, run, showVersion)
}

const showVersion: Handler<VersionOptions, readonly []> = async (invocation, options) => {
  const client = { version: readClientVersion(), node: process.versions.node }
  const server = options.client ? 'not asked' : await askServer(invocation)
  if (isForMachine(invocation)) {
    const { GetServerInfoResponse } = await import('../../proto/gen/rota/v1/system_service.ts')
    const answer = {
      typeName: 'rota.v1.GetServerInfoResponse',
      codec: GetServerInfoResponse,
    }
    await presentJson(invocation, {
      client,
      ...(typeof server === 'object' && { server: { ...answer, message: server.info } }),
    })
    return undefined
  }
  const told =
    typeof server === 'object'
      ? [
          server.info.version,
          server.info.commit && `(${server.info.commit})`,
          `at ${server.address}`,
        ]
      : [server]
  await writeAll(
    invocation.host.stdout,
    `client  ${client.version}  (Node ${client.node})\n${options.client ? '' : `server  ${told.filter(Boolean).join(' ')}\n`}`,
  )
  return undefined
}

/** Why not, when it cannot be told; that is no failure of this command. */
async function askServer(
  invocation: Invocation,
): Promise<{ readonly info: GetServerInfoResponse; readonly address: string } | string> {
  if (!isServerKnown(invocation.host, invocation.options)) return 'none known'
  try {
    const [api, { GetServerInfoRequest, SystemServiceService }] = await Promise.all([
      invocation.connect(),
      import('../../proto/gen/rota/v1/system_service.ts'),
    ])
    const request = GetServerInfoRequest.fromPartial({})
    const info = await api.call(SystemServiceService.getServerInfo, request)
    return { info, address: api.address }
  } catch (error) {
    if (error instanceof RotaError && !invocation.interrupted.aborted)
      return `unknown: ${error.message}`
    throw error
  }
}

function readClientVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { readonly version: string }).version
}
