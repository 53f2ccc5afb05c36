/**
 * Labels that operators set lie over those that the agent and its join token give, and may take one of them away. Pure.
 */

/** A null takes the label away. */
export type LabelOverlay = Readonly<Record<string, string | null>>

type Labels = Readonly<Record<string, string>>

export type LabelChange =
  /** Exactly these, of what is given now. */
  | { readonly kind: 'all'; readonly labels: Labels }
  /** Only these keys; taken away where the value is undefined. */
  | { readonly kind: 'some'; readonly values: ReadonlyMap<string, string | undefined> }

/** The overlay after the change; `given` is what agent and token say. */
export function changeOverlay(
  overlay: LabelOverlay,
  given: Labels,
  change: LabelChange,
): LabelOverlay {
  const said = new Map(Object.entries(given))
  const wanted = change.kind === 'all' ? replaced(said, change.labels) : changed(overlay, change)
  // What nobody gives need not be taken away.
  const kept = [...wanted].filter(([key, value]) => value !== null || said.has(key))
  return Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** What is as given already is left to those who give it. */
function replaced(said: ReadonlyMap<string, string>, labels: Labels): Map<string, string | null> {
  const wanted = new Map<string, string | null>([...said.keys()].map((key) => [key, null]))
  for (const [key, value] of Object.entries(labels)) {
    if (said.get(key) === value) wanted.delete(key)
    else wanted.set(key, value)
  }
  return wanted
}

function changed(
  overlay: LabelOverlay,
  { values }: Extract<LabelChange, { kind: 'some' }>,
): Map<string, string | null> {
  const wanted = new Map(Object.entries(overlay))
  for (const [key, value] of values) wanted.set(key, value ?? null)
  return wanted
}
