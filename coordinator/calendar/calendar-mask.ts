/** `update_mask` (AIP-134): which fields of a calendar an update changes. Pure. */
import { type Calendar, CalendarDays } from '../../proto/gen/rota/v1/calendar.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { nearNames } from '../../shared/near-names.ts'

const CHANGES: Readonly<Record<string, (current: Calendar, patch: Calendar) => Calendar>> = {
  display_name: (current, { displayName }) => ({ ...current, displayName }),
  description: (current, { description }) => ({ ...current, description }),
  days: (current, { days }) => ({ ...current, days }),
  'days.dates': withDays('dates'),
  'days.weekdays': withDays('weekdays'),
  'days.yearly': withDays('yearly'),
  'days.spans': withDays('spans'),
}

/** `current` with the fields of `patch` that the mask names; without a mask those that `patch` has set. */
export function applyCalendarMask(
  current: Calendar,
  patch: Calendar,
  mask: readonly string[] | undefined,
): Calendar {
  const paths = mask === undefined || mask.length === 0 ? setFields(patch) : mask.flatMap(expand)
  return paths.reduce((calendar, path) => CHANGES[path]?.(calendar, patch) ?? calendar, current)
}

function withDays(key: keyof CalendarDays): (current: Calendar, patch: Calendar) => Calendar {
  return (current, patch) => {
    const days = CalendarDays.fromPartial(current.days ?? {})
    Reflect.set(days, key, patch.days?.[key] ?? [])
    return { ...current, days }
  }
}

function setFields({ displayName, description, days }: Calendar): string[] {
  const isSet = { display_name: displayName !== '', description: description !== '', days }
  return Object.entries(isSet).flatMap(([path, value]) => (value ? [path] : []))
}

function expand(path: string): string[] {
  if (path === '*') return ['display_name', 'description', 'days']
  const snake = path.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  if (Object.hasOwn(CHANGES, snake)) return [snake]
  const near = nearNames(snake, Object.keys(CHANGES))
  const message = `${JSON.stringify(path.slice(0, 100))} cannot be updated`
  const hint =
    near.length === 0
      ? `Name one of ${Object.keys(CHANGES).join(', ')}.`
      : `Did you mean ${near.join(' or ')}?`
  throw new RotaError('UPDATE_MASK_INVALID', `update_mask: ${message}`, {
    hint,
    violations: [{ field: 'update_mask', reason: 'UPDATE_MASK_INVALID', message, hint }],
  })
}
