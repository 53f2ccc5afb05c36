import type { CronField } from './cron-field.ts'

/** Every one of the `size` values of the field, without the star of a step. */
export function isFree({ items }: CronField, size: number): boolean {
  return items.some(
    (item) => item.kind === 'range' && item.step === 1 && item.to - item.from >= size - 1,
  )
}
