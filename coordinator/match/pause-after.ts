/** Looks that may come to cost much, such as one over dead rows, take this part of the time at most. */
const PART = 1 / 20

/** In how many ms a look may come again that took `tookMs`, within bounds. */
export function pauseAfter(
  tookMs: number,
  { leastMs, mostMs }: { readonly leastMs: number; readonly mostMs: number },
): number {
  return Math.min(mostMs, Math.max(leastMs, tookMs / PART))
}
