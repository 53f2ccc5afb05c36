import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, it } from 'vitest'
import { reservePort } from '../../../../cli/dev/ports.ts'

it('finds a free port that can then be used', async () => {
  const port = await reservePort('--grpc-port', 0)
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  server.close()
})

it('names the flag of a port that is taken', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await expect(reservePort('--http-port', port)).rejects.toThrow(
    `--http-port: port ${port} is in use`,
  )
  server.close()
})
