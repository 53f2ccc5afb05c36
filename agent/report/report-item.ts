/** What an agent has to say of an attempt. Pure. */
import { Struct } from '../../proto/gen/google/protobuf/struct.ts'
import {
  type Accepted,
  type Finished,
  type Progressed,
  type Refused,
  Report,
  type Started,
} from '../../proto/gen/rota/agent/v1/agent_service.ts'

export type ReportItem =
  | { readonly kind: 'accepted'; readonly value: Accepted }
  | { readonly kind: 'refused'; readonly value: Refused }
  | { readonly kind: 'started'; readonly value: Started }
  | { readonly kind: 'progressed'; readonly value: Progressed }
  | { readonly kind: 'finished'; readonly value: Finished }

/** Of any item without its texts and outputs: its frame, its execution, numbers and times. */
const FIXED_BYTES = 200
/** Of what an item of any other kind says. */
const TEXT_BYTES_MAX = 2_000

/** At least what the item takes, in bytes. */
export function reportedBytes(item: ReportItem): number {
  // A name is ASCII.
  const nameBytes = item.value.execution.length
  if (item.kind !== 'finished') return FIXED_BYTES + nameBytes + TEXT_BYTES_MAX
  return FIXED_BYTES + nameBytes + ownBytes(item.value)
}

/** Of what a result says beside its name, numbers and times. */
function ownBytes({ message, outputs, signal }: Finished): number {
  const textBytes = message === '' && signal === '' ? 0 : Buffer.byteLength(message + signal)
  // Only by encoding them is it known; few have any.
  const outputsBytes =
    outputs === undefined ? 0 : Struct.encode(Struct.wrap(outputs)).finish().length
  return textBytes + outputsBytes
}

/** True when nothing is said of an attempt after this. */
export function isLast({ kind }: ReportItem): boolean {
  return kind === 'finished' || kind === 'refused'
}

/** One message of all items. */
export function toReport(sequence: bigint, items: readonly ReportItem[]): Report {
  const report = Report.fromPartial({ sequence })
  for (const item of items) {
    switch (item.kind) {
      case 'accepted':
        report.accepted.push(item.value)
        break
      case 'refused':
        report.refused.push(item.value)
        break
      case 'started':
        report.started.push(item.value)
        break
      case 'progressed':
        report.progressed.push(item.value)
        break
      case 'finished':
        report.finished.push(item.value)
        break
    }
  }
  return report
}
