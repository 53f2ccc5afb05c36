/** Ports of the coordinator, chosen before it starts so that it has the same ones after a restart. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { usageError } from '../option-values.ts'

const HOST = '127.0.0.1'

/** `wanted`, or any free one for 0. Throws FIELD_INVALID with the name of the flag when it cannot be had. */
export async function reservePort(flag: string, wanted: number): Promise<number> {
  const server = createServer()
  try {
    server.listen({ host: HOST, port: wanted, exclusive: true })
    await once(server, 'listening')
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : wanted
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    const why = code === 'EADDRINUSE' ? 'is in use' : `cannot be used (${code})`
    throw usageError(
      flag,
      `port ${wanted} ${why}`,
      `Stop what listens there, or give ${flag} another port; 0 takes a free one.`,
    )
  } finally {
    server.close()
  }
}
