/** Starts the bare server in the place of a cluster. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeAuthority, openAuthority } from '../../coordinator/identity/certificate-authority.ts'
import { systemClock as clock } from '../../shared/clock.ts'
import { coordinatorFiles } from '../../shared/data-dir.ts'
import { COORDINATOR } from '../../shared/programs.ts'
import { systemRandom as random } from '../../shared/random.ts'
import { startProcess } from '../../test/support/processes.ts'
import { type AgentIdentity, makeKey } from './agents.ts'
import type { Measured } from './cluster.ts'
import { Inspector } from './inspector.ts'

const DAY_MS = 86_400_000

/** `heartbeatMs`: what the agents are told. */
export async function startBare(folder: string, heartbeatMs: number): Promise<Measured> {
  const files = coordinatorFiles(folder)
  const ca = await makeAuthority({ clock, random })
  const made = { files, ca, clock, random, names: [], agentCertificateMs: DAY_MS }
  const authority = await openAuthority(made)
  await authority.serverIdentity()
  const caFile = join(folder, 'bare-ca.crt')
  await writeFile(caFile, authority.caPem)
  const server = startProcess({
    args: [
      ...COORDINATOR.nodeFlags,
      '--inspect=127.0.0.1:0',
      'bench/leases/bare-server.ts',
      ...[caFile, files.serverKey, files.serverCertificate, String(heartbeatMs)],
    ],
  })
  const { address } = await server.answer('ready')
  const inspector = await Inspector.attach(server.lines)
  return {
    address: String(address),
    ca: Buffer.from(authority.caPem),
    pid: server.pid,
    inspector,
    async enroll(count) {
      const identities: AgentIdentity[] = []
      for (let index = 1; index <= count; index++) {
        const { key, csrDer } = makeKey()
        const { chainPem } = await authority.signAgent(csrDer, `bench-${index}`)
        identities.push({ key, chain: Buffer.from(chainPem) })
      }
      return identities
    },
    takeRenewals: async () => undefined,
    async stop() {
      inspector.close()
      server.kill('SIGTERM')
      await server.exit
    },
  }
}
