/** Names of time zones: which there are, and which one was meant. */
import { nearNames } from '../../near-names.ts'

/** Names that may have been meant when `zone` is no time zone; undefined when it is one. Blank is UTC. */
export function checkTimeZone(zone: string): { readonly nearNames: string[] } | undefined {
  if (zone === '' || isTimeZone(zone)) return undefined
  const zones = Intl.supportedValuesOf('timeZone')
  const cities = new Map(zones.map((name) => [name.split('/').at(-1) ?? name, name]))
  const byCity = nearNames(zone.split('/').at(-1) ?? zone, cities.keys())
  const names = [...nearNames(zone, zones), ...byCity.map((city) => cities.get(city) ?? city)]
  return { nearNames: [...new Set(names)].slice(0, 3) }
}

/** An IANA name or an alias of one; letter case does not matter. */
export function isTimeZone(zone: string): boolean {
  // Names only: offsets such as +01:00 know no daylight saving time, and whole times with a zone are taken too.
  if (!/^[A-Za-z][\w/+-]*$/.test(zone)) return false
  try {
    return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone).timeZoneId !== ''
  } catch {
    return false
  }
}
