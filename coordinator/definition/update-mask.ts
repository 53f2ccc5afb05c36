/** `update_mask` (AIP-134): which fields of a job an update changes. Pure. */
import { Job, JobSpec } from '../../proto/gen/rota/v1/job.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { nearNames } from '../../shared/near-names.ts'

const JOB_FIELDS = ['display_name', 'description', 'labels', 'tags', 'spec']
const SPEC_FIELDS = Object.keys(JobSpec.fromPartial({})).map((key) => `spec.${toSnake(key)}`)
const KNOWN = [...JOB_FIELDS, ...SPEC_FIELDS]

/** `current` with the fields of `patch` that the mask names; without a mask those that `patch` has set, `*` is all. */
export function applyMask(current: Job, patch: Job, mask: readonly string[] | undefined): Job {
  const paths = mask === undefined || mask.length === 0 ? setFields(patch) : mask.flatMap(expand)
  const updated = Job.fromPartial(current)
  for (const path of paths) {
    const [field = '', specField] = path.split('.').map(toCamel)
    if (specField === undefined) Reflect.set(updated, field, Reflect.get(patch, field))
    else updated.spec = withField(updated.spec, patch.spec, specField)
  }
  return updated
}

function expand(path: string): string[] {
  if (path === '*') return JOB_FIELDS
  const snake = path.split('.').map(toSnake).join('.')
  if (KNOWN.includes(snake)) return [snake]
  const near = nearNames(snake, KNOWN)
  const message = `${JSON.stringify(path.slice(0, 100))} cannot be updated`
  const hint =
    near.length === 0 ? `Name one of ${KNOWN.join(', ')}.` : `Did you mean ${near.join(' or ')}?`
  throw new RotaError('UPDATE_MASK_INVALID', `update_mask: ${message}`, {
    hint,
    violations: [{ field: 'update_mask', reason: 'UPDATE_MASK_INVALID', message, hint }],
  })
}

function setFields(patch: Job): string[] {
  return JOB_FIELDS.filter((path) => {
    const value: unknown = Reflect.get(patch, toCamel(path))
    if (value === undefined || value === '') return false
    return typeof value !== 'object' || value === null || Object.keys(value).length > 0
  })
}

function withField(
  current: JobSpec | undefined,
  patch: JobSpec | undefined,
  field: string,
): JobSpec {
  const spec = JobSpec.fromPartial(current ?? {})
  Reflect.set(spec, field, Reflect.get(patch ?? JobSpec.fromPartial({}), field))
  return spec
}

function toCamel(snake: string): string {
  return snake.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function toSnake(camel: string): string {
  return camel.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
