/**
 * Which model stands for which statement of the product: by the name in its comment, or, for what Kysely builds, by how
 * its text begins. A statement that has no model ends the run with its name: nothing is silently left out.
 */
import { CLUSTER_STATEMENTS } from './model-cluster.ts'
import { CONDUCT_STATEMENTS } from './model-conduct.ts'
import { DEFINITION_STATEMENTS } from './model-definition.ts'
import { DISPATCH_STATEMENTS } from './model-dispatch.ts'
import { ENQUEUE_STATEMENTS } from './model-enqueue.ts'
import { MATCH_STATEMENTS } from './model-match.ts'
import { OVERLAP_STATEMENTS } from './model-overlap.ts'
import { REPORT_STATEMENTS } from './model-report.ts'
import { SCHEDULE_STATEMENTS } from './model-schedule.ts'
import { SETTLE_STATEMENTS } from './model-settle.ts'
import { WORKER_STATEMENTS } from './model-workers.ts'
import type { StatementModel } from './schema.ts'

export class UnknownStatement extends Error {}

const MODELS: ReadonlyMap<string, StatementModel> = new Map(
  Object.entries({
    ...SCHEDULE_STATEMENTS,
    ...ENQUEUE_STATEMENTS,
    ...OVERLAP_STATEMENTS,
    ...MATCH_STATEMENTS,
    ...DISPATCH_STATEMENTS,
    ...REPORT_STATEMENTS,
    ...SETTLE_STATEMENTS,
    ...DEFINITION_STATEMENTS,
    ...CLUSTER_STATEMENTS,
    ...WORKER_STATEMENTS,
    ...CONDUCT_STATEMENTS,
  }),
)

/** What Kysely builds has no comment. */
const BUILT: readonly (readonly [RegExp, string])[] = [
  [/^delete from "rota"\."session" where "worker_id" = /, 'deleteSessions'],
  [/^delete from "rota"\."coordinator" where "id" = /, 'deleteCoordinator'],
  [
    /^insert into "rota"\."session" \("id", "worker_id", "coordinator_id", "hello_order"\)/,
    'insertSession',
  ],
  [/^insert into "rota"\."placement_class" /, 'insertClasses'],
  [/^select "e"\."id".* from "rota"\."execution_any" .* where "e"\."id" = /, 'readExecution'],
]

export interface NamedStatement {
  readonly name: string
  readonly model: StatementModel
}

const known = new Map<string, NamedStatement>()

/** `text` is the name of a statement, or its SQL. */
export function statementOf(text: string): NamedStatement {
  const before = known.get(text)
  if (before !== undefined) return before
  const found = find(text)
  known.set(text, found)
  return found
}

function find(text: string): NamedStatement {
  const name = BUILT.find(([pattern]) => pattern.test(text))?.[1] ?? text
  const model = MODELS.get(name)
  if (model !== undefined) return { name, model }
  throw new UnknownStatement(`the simulation has no model of the statement ${text}`)
}
