import { Worker } from '../../../proto/gen/rota/v1/worker_service.ts'
import type { Invocation } from '../../action.ts'
import { toId } from '../../names.ts'
import { present } from '../../output/present.ts'
import { escapeControls } from '../../output/text.ts'

/** A worker that was changed; `what` follows its name for people: `cordoned`. */
export async function presentWorker(
  invocation: Invocation,
  worker: Worker,
  what: string,
): Promise<void> {
  await present(invocation, {
    answer: { typeName: 'rota.v1.Worker', codec: Worker, message: worker },
    names: () => [worker.name],
    text: () => `${escapeControls(`worker ${toId(worker.name)} ${what}`)}\n`,
  })
}
