/** Which jobs a job waits for. Whether they exist and form no cycle is asked where they are stored. */
import {
  type Dependency,
  Dependency_OnFailure,
  Dependency_When,
} from '../../proto/gen/rota/v1/job.ts'
import {
  checkCount,
  checkDuration,
  checkEnum,
  checkRepeats,
  refuseUnless,
} from '../../shared/errors/check-field.ts'
import type { FieldViolation } from '../../shared/errors/rota-error.ts'
import { checkJobName } from './validate-job-id.ts'

const DEPENDENCIES_MAX = 64
const FRESHNESS_MS_MIN = 1_000

/** `jobName` is the name of the job itself, blank when it has none yet. */
export function validateDependencies(
  field: string,
  dependencies: readonly Dependency[],
  jobName: string,
): FieldViolation[] {
  const looked = dependencies.slice(0, DEPENDENCIES_MAX)
  const names = looked.map(({ job }) => job)
  return [
    ...checkCount(field, dependencies, DEPENDENCIES_MAX),
    ...checkRepeats(field, names),
    ...looked.flatMap((dependency, index) => {
      const path = `${field}[${index}]`
      return [
        ...checkJobName(`${path}.job`, dependency.job),
        ...refuseUnless(dependency.job === '' || dependency.job !== jobName, `${path}.job`, {
          reason: 'DEPENDENCY_CYCLE',
          message: 'the job depends on itself',
        }),
        ...checkEnum(`${path}.when`, dependency.when, Dependency_When),
        ...checkDuration(`${path}.freshness`, dependency.freshness, FRESHNESS_MS_MIN),
        ...checkEnum(`${path}.on_failure`, dependency.onFailure, Dependency_OnFailure),
      ]
    }),
  ]
}
