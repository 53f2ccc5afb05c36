import type { Command } from 'commander'
import {
  CreateEnrollmentTokenRequest,
  CreateEnrollmentTokenResponse,
  WorkerServiceService,
} from '../../proto/gen/rota/v1/worker_service.ts'
import { durationFromMs } from '../../shared/duration.ts'
import { addExamples, type Handler, type Run, setAction } from '../action.ts'
import { toName } from '../names.ts'
import { readDuration, readInteger, readPairs, repeatable } from '../option-values.ts'
import { isForMachine, present, talk } from '../output/present.ts'
import { relativeTime } from '../output/time.ts'

interface TokenOptions {
  readonly worker?: string
  readonly ttl?: string
  readonly uses?: string
  readonly label?: readonly string[]
}

const USES_MAX = 10_000

/** `rota token ...` */
export function registerToken(program: Command, run: Run): void {
  const token = program.command('token').description('Make tokens that new agents join with.')
  const create = token
    .command('create')
    .description('Make a join token. The token alone is on stdout, how to use it on stderr.')
    .option('--worker <name>', 'only this worker may join with it, also again when it lost its key')
    .option('--ttl <duration>', 'how long it is good (default 10m, at most 24h)')
    .option('--uses <count>', 'how many agents may join with it (default 1)')
    .option(
      '--label <key=value>',
      'given to the workers that join with it; may be repeated',
      repeatable,
    )
  addExamples(
    create,
    'rota token create',
    'rota token create --worker worker-13 --label region=eu --ttl 1h',
  )
  setAction(create, run, createToken)
}

const createToken: Handler<TokenOptions, readonly []> = async (invocation, options) => {
  const { worker, ttl, uses, label } = options
  const request = CreateEnrollmentTokenRequest.fromPartial({
    ...(ttl !== undefined && { ttl: durationFromMs(readDuration('--ttl', ttl)) }),
    maxUses: uses === undefined ? 0 : readInteger('--uses', uses, { min: 1, max: USES_MAX }),
    labels: readPairs('--label', label ?? []),
    worker: worker === undefined ? '' : toName('workers', worker),
  })
  const api = await invocation.connect()
  const message = await api.call(WorkerServiceService.createEnrollmentToken, request)
  await present(invocation, {
    answer: {
      typeName: 'rota.v1.CreateEnrollmentTokenResponse',
      codec: CreateEnrollmentTokenResponse,
      message,
    },
    names: () => [message.token],
    text: () => `${message.token}\n`,
  })
  if (isForMachine(invocation)) return undefined
  const now = invocation.host.clock.now()
  const name = worker === undefined ? '' : ` --name ${worker}`
  const command = `ROTA_JOIN_TOKEN=${message.token} npx rota agent run --coordinator ${api.address}${name}`
  await talk(
    invocation,
    `\n${describeUse(message, uses, now)} On the new host, in a clone of Rota:\n\n  ${message.installCommand || command}`,
  )
  return undefined
}

/** `It works once; it ends in 10m.` */
function describeUse(
  { expireTime }: CreateEnrollmentTokenResponse,
  uses: string | undefined,
  now: Date,
): string {
  const times = uses === undefined || uses === '1' ? 'once' : `${uses} times`
  const end = expireTime === undefined ? '' : `; it ends ${relativeTime(expireTime, now)}`
  return `It works ${times}${end}.`
}
