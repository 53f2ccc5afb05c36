import { UNDERSTANDS_COORDINATORS } from './check-hello.ts'
import type { Fleet } from './fleet.ts'

/** Tells all agents where else they could go, each time that this has changed; Welcome says it to the new ones. */
export function announceTo(fleet: Fleet): (addresses: readonly string[]) => void {
  let announced = ''
  return (addresses) => {
    const all = addresses.join(' ')
    // With no address at all the old ones are the better guess.
    if (all === announced || all === '') return
    announced = all
    for (const { profile, stream } of fleet.all()) {
      if (profile.protocolVersion < UNDERSTANDS_COORDINATORS) continue
      stream.send({ $case: 'coordinators', value: { addresses: [...addresses] } })
    }
  }
}
