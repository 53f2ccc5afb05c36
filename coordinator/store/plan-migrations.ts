/** A migration that the database has. */
export interface AppliedMigration {
  readonly name: string
  /** Why releases that do not know it cannot work with it; null when they can. */
  readonly breaking: string | null
}

export type MigrationPlan =
  | {
      readonly kind: 'ready'
      /** To be applied, in order. */
      readonly pending: readonly string[]
      /** Of a later release; this one works without knowing them. */
      readonly later: readonly string[]
    }
  | { readonly kind: 'too_new'; readonly name: string; readonly breaking: string }

/** What this release, which knows `known`, makes of a database that has `applied`. */
export function planMigrations(
  known: readonly string[],
  applied: readonly AppliedMigration[],
): MigrationPlan {
  const names = new Set(applied.map(({ name }) => name))
  const later = applied.filter(({ name }) => !known.includes(name))
  for (const { name, breaking } of later) {
    if (breaking !== null) return { kind: 'too_new', name, breaking }
  }
  return {
    kind: 'ready',
    pending: known.filter((name) => !names.has(name)).sort(),
    later: later.map(({ name }) => name),
  }
}
