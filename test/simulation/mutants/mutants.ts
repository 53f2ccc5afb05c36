/**
 * Bugs to plant: each is one place of one file, and what it breaks of failure-model.md. The simulation must find every one
 * of them, or it does not check what it says.
 */
export interface Mutant {
  readonly name: string
  /** From the root of the repository. */
  readonly file: string
  /** Occurs exactly once in the file. */
  readonly find: string
  readonly replace: string
  /** Of these invariants at least one is found broken. */
  readonly breaks: readonly number[]
}

const coordinatorMutants: readonly Mutant[] = [
  {
    name: 'let executions of a job in without its gate',
    file: 'coordinator/enqueue/overlap.ts',
    find: 'await lockGates(tx, jobIds)',
    replace: 'if (jobIds.length > 1_000) await lockGates(tx, jobIds)',
    breaks: [14],
  },
  {
    name: 'let what waits in without the gate of its job',
    file: 'coordinator/enqueue/overlap-loop.ts',
    find: 'const own = jobs.filter(({ id }) => locked.has(id))',
    replace: 'const own = jobs.filter(({ id }) => locked.has(id) || true)',
    breaks: [14],
  },
  {
    name: 'let one in more than a job allows when one waits',
    file: 'coordinator/enqueue/decide-overlap.ts',
    find: 'room !== undefined && room.count >= room.limit ? room.first : undefined',
    replace: 'room !== undefined && room.count > room.limit ? room.first : undefined',
    breaks: [14],
  },
  {
    name: 'acknowledge a report before its commit',
    file: 'coordinator/dispatch/conversation.ts',
    find: 'const { stale, isStored } = await options.receiveReport(session, report)',
    replace: `session.stream.send({ $case: 'reportAck', value: { sequence: report.sequence } })
  const { stale, isStored } = await options.receiveReport(session, report)`,
    breaks: [8],
  },
  {
    name: 'take a hello that was held up',
    file: 'coordinator/dispatch/open-session.ts',
    find: 'if (isLate) throw',
    replace: 'if (isLate && replaced.length === 0) throw',
    breaks: [5, 6, 8, 14],
  },
  {
    name: 'take the end of an attempt for the end of the next one',
    file: 'coordinator/dispatch/fleet.ts',
    find: 'if (session?.inFlight.get(id)?.epoch === epoch) session.inFlight.delete(id)',
    replace: 'if (epoch > 0) session?.inFlight.delete(id)',
    breaks: [14],
  },
  {
    name: 'send assignments before their commit',
    file: 'coordinator/match/match-loop.ts',
    find: 'return reserved.length === 0 ? [] : claimQueued(tx, reserved)',
    replace: `if (reserved.length === 0) return []
      const early = await claimQueued(tx, reserved)
      await fleet.dispatch(early)
      return early`,
    breaks: [5, 6, 8],
  },
  {
    name: 'give slots back when the COMMIT of a claim is unknown',
    file: 'coordinator/match/match-loop.ts',
    find: 'round.doubtful.push(...reserved)',
    replace: 'for (const pair of reserved) fleet.unreserve(pair)',
    breaks: [14],
  },
  {
    name: 'pair with slots as they were before the database was asked',
    file: 'coordinator/match/match-loop.ts',
    find: 'const offers = fleet.offers().filter(({ sessionId }) => live.has(sessionId))',
    replace: 'const offers = round.offers.filter(({ sessionId }) => live.has(sessionId))',
    breaks: [14],
  },
  {
    name: 'claim for sessions that have ended',
    file: 'coordinator/match/match-loop.ts',
    find: 'fleet.offers().filter(({ sessionId }) => live.has(sessionId))',
    replace: 'fleet.offers().filter(({ sessionId }) => live.has(sessionId) || true)',
    breaks: [13],
  },
  {
    name: 'forget that a stale attempt of a hello must be told to stop',
    file: 'coordinator/dispatch/conversation.ts',
    find: "sendStops(session, running, 'its epoch is not current any more')",
    replace: 'void running',
    breaks: [5],
  },
  {
    name: 'forget what a session has in hand when it begins',
    file: 'coordinator/dispatch/open-session.ts',
    find: 'inFlight: new Map(inFlight.map(({ id, epoch, slots }) => [id, { epoch, slots }])),',
    replace:
      'inFlight: new Map(inFlight.slice(0, 0).map(({ id, epoch, slots }) => [id, { epoch, slots }])),',
    breaks: [14],
  },
  {
    name: 'never count used slots',
    file: 'coordinator/dispatch/agent-session.ts',
    find: 'return Math.max(0, orders.slots - used)',
    replace: 'return Math.max(0, orders.slots - used * 0)',
    breaks: [14],
  },
  {
    name: 'keep the slots of what has ended',
    file: 'coordinator/compose-flow.ts',
    find: 'fleet.release(sessionId, { id: executionId, epoch })',
    replace: 'void fleet',
    breaks: [13, 20],
  },
  {
    name: 'believe one clock alone about the end of a lease',
    file: 'coordinator/settle/lease-watch.ts',
    find: 'nowMs - (watched.get(sessionId)?.sinceMs ?? nowMs) > endMs',
    replace: 'watched.has(sessionId)',
    breaks: [5],
  },
  {
    name: 'drive without the brake',
    file: 'coordinator/settle/lease-watch.ts',
    find: 'if (nowMs < brakeUntilMs) return []',
    replace: 'if (Number.isNaN(brakeUntilMs)) return []',
    breaks: [5],
  },
  {
    name: 'end a lease and forget what it held',
    file: 'coordinator/settle/expire-loop.ts',
    find: 'await settle.settleLost(tx, { sessionIds, message })',
    replace: 'await settle.settleLost(tx, { sessionIds: [], message })',
    breaks: [13],
  },
  {
    name: 'start AT_MOST_ONCE again when it was lost',
    file: 'coordinator/settle/decide-outcome.ts',
    find: "if (context.guarantee === 'at_most_once') return",
    replace: "if (context.guarantee === 'exclusive' && context.isGivenUp) return",
    breaks: [6],
  },
  {
    name: 'one retry too many',
    file: 'coordinator/job/retry-policy.ts',
    find: 'return attempt <= plan.maxRetries',
    replace: 'return attempt <= plan.maxRetries + 1',
    breaks: [16],
  },
  {
    name: 'a backoff that is too short',
    file: 'coordinator/settle/decide-outcome.ts',
    find: 'const delayMs = retryDelayMs(context.retry, failures, context.fraction)',
    replace: 'const delayMs = retryDelayMs(context.retry, failures, context.fraction) / 2',
    breaks: [16],
  },
  {
    name: 'end what a worker has by now',
    file: 'coordinator/settle/settle.ts',
    find: 'const ending = ended.filter(({ id }) => locked.has(id))',
    replace: 'const ending = ended.filter(({ id }) => locked.has(id) || true)',
    breaks: [10, 20],
  },
  {
    name: 'fire early',
    file: 'coordinator/schedule/decide-due.ts',
    find: 'if (due === undefined || due > window.now) break',
    replace: 'if (due === undefined || due.getTime() > window.now.getTime() + 1_500) break',
    breaks: [2],
  },
  {
    name: 'move the mark beyond what was decided',
    file: 'coordinator/schedule/decide-due.ts',
    find: 'mark: isCut || mark > window.now ? mark : window.now,',
    replace: 'mark: isCut || mark > window.now ? mark : new Date(window.now.getTime() + 2_500),',
    breaks: [1],
  },
  {
    name: 'run what comes due shortly before the end of a pause',
    file: 'coordinator/schedule/circumstances.ts',
    find: 'untilMs: pause.untilMs }',
    replace: 'untilMs: pause.untilMs - 6_000 }',
    breaks: [2],
  },
  {
    name: 'never count what was skipped on request',
    file: 'coordinator/schedule/schedule-loop.ts',
    find: 'if (skipped.length > 0)',
    replace: 'if (skipped.length > 1_000)',
    breaks: [2],
  },
  {
    name: 'decide a due time and forget its execution',
    file: 'coordinator/schedule/schedule-loop.ts',
    find: ".filter(({ decision }) => decision === 'enqueued')",
    replace: ".filter(({ decision, reason }) => decision === 'enqueued' && reason === 'on time')",
    breaks: [1],
  },
  {
    name: 'trigger again for a request that came before',
    file: 'coordinator/enqueue/trigger.ts',
    find: 'isNew[index] = claim.isNew',
    replace: 'isNew[index] = claim.isNew || true',
    breaks: [9],
  },
]

const agentMutants: readonly Mutant[] = [
  {
    name: 'run an assignment before it is journaled',
    file: 'agent/accept/inbox.ts',
    find: 'await store.accept(attempts)',
    replace: 'store.accept(attempts).catch(() => {})',
    breaks: [5, 6, 8, 15],
  },
  {
    name: 'accept the same assignment twice',
    file: 'agent/accept/inbox.ts',
    find: 'if (known !== undefined) this.#reportAgain(known)',
    replace: 'if (known !== undefined && !known.isAccepted) this.#reportAgain(known)',
    breaks: [5, 6, 14],
  },
  {
    name: 'leave out of hello what is being journaled',
    file: 'agent/connect/introduce.ts',
    find: 'store.list().filter(({ acknowledgedAtMs }) => acknowledgedAtMs === undefined)',
    replace:
      'store.list().filter(({ acknowledgedAtMs, isAccepted }) => acknowledgedAtMs === undefined && isAccepted)',
    breaks: [5, 6, 8],
  },
  {
    name: 'forget to send again what was not acknowledged',
    file: 'agent/report/outbox.ts',
    find: 'for (const item of items) this.#keep(item)',
    replace: "for (const item of items) if (item.kind === 'accepted') this.#keep(item)",
    breaks: [13],
  },
  {
    name: 'tell the warden of a lease that is too long',
    file: 'agent/connect/lease.ts',
    find: 'this.#options.onRenewed({ termAtMs: killAtMs - this.#marginMs, killAtMs })',
    replace:
      'this.#options.onRenewed({ termAtMs: killAtMs + 28_000, killAtMs: killAtMs + 30_000 })',
    breaks: [5],
  },
  {
    name: 'count the lease from the answer instead of the heartbeat',
    file: 'agent/connect/connection.ts',
    find: 'this.#agent.lease.renew(sentAtMs, this.#session.leaseMs)',
    replace: 'this.#agent.lease.renew(this.#agent.clock.monotonicMs(), this.#session.leaseMs)',
    breaks: [5],
  },
  {
    name: 'tell a wrong outcome',
    file: 'agent/run/decide-outcome.ts',
    find: 'return end.exitCode === 0 ? SUCCEEDED',
    replace: 'return end.exitCode <= 1 ? SUCCEEDED',
    breaks: [7],
  },
]

/** What is wrong in SQL, in the model that stands for it. */
const statementMutants: readonly Mutant[] = [
  {
    name: 'accept the end of a stale epoch',
    file: 'test/simulation/store/model-settle.ts',
    find: 'const isOwn = row?.epoch === epoch && row.session_id === sessionId',
    replace: 'const isOwn = row?.session_id === sessionId && epoch > 0',
    breaks: [7, 11],
  },
  {
    name: 'accept a report of a session that does not own the attempt',
    file: 'test/simulation/store/model-settle.ts',
    find: 'const isOwn = row?.epoch === epoch && row.session_id === sessionId',
    replace: "const isOwn = row?.epoch === epoch && sessionId !== ''",
    breaks: [7, 12],
  },
  {
    name: 'use an epoch again',
    file: 'test/simulation/store/model-match.ts',
    find: 'epoch: nextEpoch(),',
    replace: 'epoch: Math.max(1, row.epoch) + nextEpoch() * 0,',
    breaks: [4],
  },
  {
    name: 'settle and leave it in the queue',
    file: 'test/simulation/store/model-settle.ts',
    find: 'tables.execution.delete(tx, id)',
    replace: 'tables.execution.lock(tx, id, FOR_UPDATE)',
    breaks: [10, 20],
  },
]

export const MUTANTS: readonly Mutant[] = [
  ...coordinatorMutants,
  ...agentMutants,
  ...statementMutants,
]
