import type pg from 'pg'
import { parseAddresses } from './addresses.ts'
import { Primary, type PrimaryOptions } from './primary.ts'
import { SeenPrimaries } from './seen-primaries.ts'

/** The primary that a URL, or the parts of one, leads to; not started. `seenFile` keeps what was seen over restarts. */
export async function openPrimary(
  connection: string | Readonly<pg.ClientConfig>,
  options: Pick<PrimaryOptions, 'clock' | 'logger'> & { readonly seenFile?: string },
): Promise<Primary> {
  const addresses =
    typeof connection === 'string'
      ? parseAddresses(connection)
      : [{ name: connection.host ?? 'localhost', config: connection }]
  const seen = await SeenPrimaries.open(options.seenFile)
  return new Primary({ addresses, seen, clock: options.clock, logger: options.logger })
}
