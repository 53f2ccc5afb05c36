import type { Hello } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { isUuid } from '../../shared/ids.ts'
import { parseResourceName } from '../../shared/wire.ts'
import type { Epoch, ExecutionId } from '../job/execution.ts'
import type { HeldAttempt } from './dispatch-queries.ts'

/**
 * Versions of the agent protocol that this coordinator speaks: its own and the one before. From version 2 on agents
 * understand `Goodbye.coordinators`, `Coordinators`, `Welcome.offer_again` and `Stop.Target.give_up`.
 */
export const PROTOCOL_VERSIONS: readonly number[] = [1, 2]
/** The first version whose agents can be told of other coordinators. */
export const UNDERSTANDS_COORDINATORS = 2

const SLOTS_MAX = 10_000
const NAMES_MAX = 200
const NAME = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/
const TEXT_LENGTH_MAX = 255
/** What runs (at most 1,000 slots) and what nobody has acknowledged yet (as many), with room. */
const HELD_MAX = 4_000

/** Refuses a hello that this coordinator cannot work with. What is large is counted before it is looked at. */
export function checkHello(hello: Hello): void {
  if (hello.held.length > HELD_MAX) violation(`at most ${HELD_MAX} attempts may be held`)
  for (const names of namesOf(hello)) {
    if (names.length > NAMES_MAX)
      violation(`at most ${NAMES_MAX} capabilities, handlers and labels`)
  }
  for (const text of textsOf(hello)) {
    if (text.length > TEXT_LENGTH_MAX) violation(`a text is longer than ${TEXT_LENGTH_MAX}`)
  }
  if (!PROTOCOL_VERSIONS.includes(hello.protocolVersion)) {
    throw new RotaError(
      'AGENT_INCOMPATIBLE',
      `the agent speaks protocol ${hello.protocolVersion}, this coordinator ${PROTOCOL_VERSIONS.join(', ')}`,
      { metadata: { protocol_versions: PROTOCOL_VERSIONS.join(',') } },
    )
  }
  if (hello.slots < 0 || hello.slots > SLOTS_MAX) violation(`slots must be 0 to ${SLOTS_MAX}`)
  if (hello.order < 0n || hello.order > Number.MAX_SAFE_INTEGER) violation('order is out of range')
  for (const names of namesOf(hello)) {
    const wrong = names.find((name) => !NAME.test(name))
    if (wrong !== undefined) violation(`${JSON.stringify(wrong.slice(0, 80))} is not a name`)
  }
}

function namesOf({ capabilities, handlers, labels }: Hello): readonly (readonly string[])[] {
  return [capabilities, handlers, Object.keys(labels)]
}

function textsOf(hello: Hello): readonly string[] {
  const { hostname, platform, agentVersion, bootId, previousSession, labels } = hello
  return [hostname, platform, agentVersion, bootId, previousSession, ...Object.values(labels)]
}

/** The attempts of a hello, by id. An agent holds each once. */
export function heldAttempts(hello: Hello): HeldAttempt[] {
  const held = hello.held.map((each) => toAttemptRef(each))
  const keys = new Set(held.map(({ executionId, epoch }) => `${executionId}.${epoch}`))
  if (keys.size < held.length) violation('an attempt is held twice')
  return held
}

/** Reads the execution and epoch that every message about an attempt carries. */
export function toAttemptRef(message: { execution: string; epoch: bigint }): HeldAttempt {
  const id = parseResourceName('executions', message.execution, 'execution')
  if (!isUuid(id)) violation(`${JSON.stringify(id.slice(0, 80))} is not an execution id`)
  const epoch = Number(message.epoch)
  if (!Number.isSafeInteger(epoch) || epoch < 0) violation('an epoch is out of range')
  return { executionId: id as ExecutionId, epoch: epoch as Epoch }
}

function violation(message: string): never {
  throw new RotaError('PROTOCOL_VIOLATION', message)
}
