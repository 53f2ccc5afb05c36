const RFC_3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:\d{2})$/

/** Undefined when it is none, or has no offset: it would mean another moment on another host. */
export function parseRfc3339(text: string): Date | undefined {
  const trimmed = text.trim()
  if (!RFC_3339.test(trimmed)) return undefined
  const time = new Date(trimmed.replace(' ', 'T').toUpperCase())
  // Date makes 2 March of 30 February.
  const isDay = new Date(`${trimmed.slice(0, 10)}T00:00:00Z`).getUTCDate() === dayOf(trimmed)
  return isDay && !Number.isNaN(time.getTime()) ? time : undefined
}

function dayOf(text: string): number {
  return Number(text.slice(8, 10))
}

/** RFC 3339 in UTC without a fraction. */
export function isoSeconds(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`
}
