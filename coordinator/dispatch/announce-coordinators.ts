import type { Fleet } from './fleet.ts'

/** Agents of this version and later understand what they are told of other coordinators. */
const PROTOCOL_VERSION_MIN = 2

/** Tells all agents where else they could go, each time that this has changed; Welcome says it to the new ones. */
export function announceTo(fleet: Fleet): (addresses: readonly string[]) => void {
  let announced = ''
  return (addresses) => {
    const all = addresses.join(' ')
    if (all === announced) return
    announced = all
    for (const { profile, stream } of fleet.all()) {
      if (profile.protocolVersion < PROTOCOL_VERSION_MIN) continue
      stream.send({ $case: 'coordinators', value: { addresses: [...addresses] } })
    }
  }
}
