import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** What starts whole clusters of processes takes longest, however short its file is; unit tests fill what is left. */
const ORDER = [/\/test\/(e2e|faults|simulation)\//, /\/test\/flow\//, /\/test\/(api|database)\//]

/** Begins what takes long early, also where no earlier run has measured it, so that no core waits for one file. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return sorted.sort((a, b) => rankOf(a) - rankOf(b))
  }
}

function rankOf({ moduleId }: TestSpecification): number {
  const rank = ORDER.findIndex((folder) => folder.test(moduleId))
  return rank === -1 ? ORDER.length : rank
}
