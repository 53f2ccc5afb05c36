/** grpc.health.v1: the whole server, or one of its services, serves while the database answers. */
import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import {
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as Status,
} from '../../proto/gen/grpc/health/v1/health.ts'
import { sleep } from '../../shared/clock.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { createDatabaseCheck } from '../observe/readiness.ts'
import { serverStream, unary } from './serve.ts'
import type { ServiceDeps } from './service-deps.ts'

/** How often a watched status is looked at, in ms. */
const LOOK_MS = 1_000

export function createHealthService(
  deps: ServiceDeps,
  services: ReadonlySet<string>,
): UntypedServiceImplementation {
  const checkDatabase = createDatabaseCheck(deps)
  const statusOf = async (service: string): Promise<HealthCheckResponse['status']> => {
    if (service !== '' && !services.has(service)) return Status.SERVICE_UNKNOWN
    const { isReady } = await checkDatabase()
    return isReady ? Status.SERVING : Status.NOT_SERVING
  }
  return {
    check: unary(deps, 'Health/Check', async ({ service }: HealthCheckRequest) => {
      const status = await statusOf(service)
      if (status !== Status.SERVICE_UNKNOWN) return { status }
      throw new RotaError(
        'SERVICE_NOT_FOUND',
        `there is no service ${JSON.stringify(service.slice(0, 100))}`,
      )
    }),
    watch: serverStream(deps, 'Health/Watch', ({ service }: HealthCheckRequest, { signal }) =>
      watch(deps, async () => statusOf(service), signal),
    ),
  }
}

async function* watch(
  { clock }: ServiceDeps,
  look: () => Promise<HealthCheckResponse['status']>,
  signal: AbortSignal,
): AsyncIterable<HealthCheckResponse> {
  let last: HealthCheckResponse['status'] | undefined
  while (!signal.aborted) {
    const status = await look()
    if (status !== last) yield { status }
    last = status
    await sleep(clock, LOOK_MS, signal)
  }
}
