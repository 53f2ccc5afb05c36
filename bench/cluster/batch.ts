/** Executions by their numbers, `from` to below `to`. */
export interface Batch {
  readonly from: number
  readonly to: number
}

/** The numbers of a batch. */
export function range({ from, to }: Batch): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}
