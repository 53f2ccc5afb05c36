/** Milliseconds of the clock that all processes of this host share, and that never jumps. */
export function hostMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
