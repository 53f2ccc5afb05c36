import {
  type Worker,
  WorkerHealth,
  WorkerState,
} from '../../../proto/gen/rota/v1/worker_service.ts'
import { word } from '../../words.ts'

/** `healthy`; `healthy, draining` when an operator wants something of it. */
export function describeHealth({ health, state }: Worker): string {
  const wanted = state === WorkerState.ACTIVE ? '' : word(WorkerState, state)
  return [word(WorkerHealth, health), wanted].filter((part) => part !== '').join(', ')
}

/** `region=eu,tier=canary` */
export function describeLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
}
