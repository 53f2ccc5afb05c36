import { EventEmitter } from 'node:events'
import { credentials, Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js'
import { expect, onTestFinished, test, vi } from 'vitest'
import { keepAlive } from '../../agent/connect/keepalive.ts'
import {
  AgentServiceClient,
  AgentServiceService,
} from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { SERVER_OPTIONS } from '../../shared/channel-options.ts'
import { createFakeClock } from '../support/fake-clock.ts'

test('a server answers the question whether it lives before it asks who wants to know', async () => {
  const interceptor = vi.fn()
  const server = new Server({ ...SERVER_OPTIONS, interceptors: [interceptor] })
  const absent = () => {}
  server.addService(AgentServiceService, { connect: absent, enroll: absent, pushLogs: absent })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound)
      else reject(error)
    })
  })
  const client = new AgentServiceClient(`127.0.0.1:${port}`, credentials.createInsecure())
  onTestFinished(() => {
    client.close()
    server.forceShutdown()
  })

  const clock = createFakeClock(new Date())
  const answered = Promise.withResolvers<ServiceError | null>()
  const ask = client.makeUnaryRequest.bind(client) as (...args: unknown[]) => unknown
  const makeUnaryRequest = (...args: unknown[]) => {
    const told = args.pop() as (error: ServiceError | null) => void
    return ask(...args, (error: ServiceError | null) => {
      told(error)
      answered.resolve(error)
    })
  }
  const cancelWithStatus = vi.fn()
  const stream = Object.assign(new EventEmitter(), { call: { cancelWithStatus } })
  keepAlive(clock, { makeUnaryRequest } as never, stream as never)
  await clock.advance(4_250)
  expect(await answered.promise).toMatchObject({ code: status.UNIMPLEMENTED })
  await clock.advance(4_000)
  expect(cancelWithStatus).not.toHaveBeenCalled()
  expect(interceptor).not.toHaveBeenCalled()
})
