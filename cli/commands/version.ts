import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import type { GetServerInfoResponse } from '../../proto/gen/rota/v1/system_service.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { addExamples, type Handler, type Invocation, type Run, setAction } from '../action.ts'
import { isServerKnown } from '../context.ts'
import { writeAll } from '../host.ts'
import { isForMachine, presentJson } from '../output/present.ts'
import { escapeControls } from '../output/text.ts'

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

/** What the coordinator says of itself, or why it said nothing. */
type ServerVersion =
  | { readonly kind: 'known'; readonly info: GetServerInfoResponse; readonly address: string }
  | { readonly kind: 'unknown'; readonly why: string }

const showVersion: Handler<VersionOptions, readonly []> = async (invocation, options) => {
  const client = { version: readClientVersion(), node: process.versions.node }
  const server = options.client ? undefined : await askServer(invocation)
  if (isForMachine(invocation)) await presentBoth(invocation, client, server)
  else {
    const lines = [`client  ${client.version}  (Node ${client.node})`]
    if (server !== undefined) lines.push(`server  ${describeServer(server)}`)
    await writeAll(invocation.host.stdout, `${lines.join('\n')}\n`)
  }
}

function describeServer(server: ServerVersion): string {
  if (server.kind === 'unknown') return escapeControls(server.why)
  const { version, commit } = server.info
  return `${version}${commit === '' ? '' : ` (${commit})`} at ${server.address}`
}

async function presentBoth(
  invocation: Invocation,
  client: { readonly version: string; readonly node: string },
  server: ServerVersion | undefined,
): Promise<void> {
  const { GetServerInfoResponse } = await import('../../proto/gen/rota/v1/system_service.ts')
  const answer = { typeName: 'rota.v1.GetServerInfoResponse', codec: GetServerInfoResponse }
  await presentJson(invocation, {
    client,
    ...(server?.kind === 'known' && { server: { ...answer, message: server.info } }),
  })
}

/** That it cannot be told is no failure of this command. */
async function askServer(invocation: Invocation): Promise<ServerVersion> {
  const { host, options, interrupted } = invocation
  if (!isServerKnown(host, options)) return { kind: 'unknown', why: 'none known' }
  try {
    const [api, { GetServerInfoRequest, SystemServiceService }] = await Promise.all([
      invocation.connect(),
      import('../../proto/gen/rota/v1/system_service.ts'),
    ])
    const request = GetServerInfoRequest.fromPartial({})
    const info = await api.call(SystemServiceService.getServerInfo, request)
    return { kind: 'known', info, address: api.address }
  } catch (error) {
    if (!(error instanceof RotaError) || interrupted.aborted) throw error
    return { kind: 'unknown', why: `unknown: ${error.message}` }
  }
}

function readClientVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { readonly version: string }).version
}
