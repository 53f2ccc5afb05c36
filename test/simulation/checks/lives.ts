/**
 * 5. Attempts of one execution do not overlap, and leases end only after their time. 6. AT_MOST_ONCE starts once. 7. What
 * has succeeded has lived whole and ended with 0. 14. A host never runs more than it has slots for. 15. Nothing is left.
 */

import type { AgentNode } from '../cluster/agent-node.ts'
import { LEASE_MS } from '../cluster/coordinator-node.ts'
import type { Life } from '../cluster/witness.ts'
import type { AttemptRow, SessionRow } from '../store/schema.ts'
import type { Commit } from '../store/virtual-database.ts'
import { tagOf } from '../world/world.ts'
import type { Check, CheckSurroundings } from './check.ts'

const GRACE_MS = 2_000
/** A coordinator may have come through the end of an outage a moment earlier. */
const BRAKE_SLACK_MS = 100
/** A stale attempt is stopped within this when its agent is back, in ms. */
const STOPPED_MS = 5_000
const LOOK_TAG = tagOf('look')

export function checkLives(around: CheckSurroundings): Check {
  const { agents, findings, tables, witness, world } = around
  /** When each session was last renewed, in the time of the world, which no clock can change. */
  const renewedMs = new Map<string, number>()
  /** Epochs whose leases ended: the only ones that may live, or begin on a host that was frozen, beside another. */
  const outlived = new Set<string>()

  const checkStart = (life: Life) => {
    const { executionId } = life
    const others = witness.livesOf(executionId).filter((other) => other !== life)
    if (life.guarantee === 'at_most_once') {
      findings.check(6, others.length === 0, {
        why: () => `started ${others.length + 1} times`,
        executionId,
      })
    }
    for (const other of others) {
      if (other.endMs !== undefined) continue
      const isExcused =
        life.guarantee === 'at_least_once'
          ? outlived.has(keyOf(other)) || outlived.has(keyOf(life))
          : other.wasSuspended || other.wasUnguarded
      findings.check(5, isExcused, {
        why: () =>
          `epoch ${life.epoch} on ${life.host} started while epoch ${other.epoch} lived on ${other.host}`,
        executionId,
      })
    }
    findings.count(5)
    checkSlots(life)
  }

  const checkSlots = ({ executionId, host, slots }: Life) => {
    const agent = agents.find(({ name }) => name === host) as AgentNode
    const used = [...agent.host.jobs.values()].reduce((sum, { life }) => sum + life.slots, 0)
    findings.check(14, used + slots <= agent.slots, {
      why: () => `${host} runs ${used + slots} of ${agent.slots} slots`,
      executionId,
    })
  }

  const checkSessions = (commit: Commit) => {
    const isExpiry = commit.statements.includes('endLeases')
    for (const { table, before, after } of commit.changes) {
      if (table !== 'session') continue
      if (after !== undefined) {
        renewedMs.set((after as SessionRow).id, world.nowMs)
        continue
      }
      const { id } = before as SessionRow
      const silentMs = world.nowMs - (renewedMs.get(id) ?? world.nowMs)
      if (!isExpiry) continue
      const { outageEndMs } = around.database
      // What was decided before the outage may be committed after it.
      const sinceMs = commit.beganAtMs - outageEndMs
      findings.check(5, sinceMs < 0 || sinceMs >= LEASE_MS - BRAKE_SLACK_MS, {
        why: () => `a lease ended ${Math.round(sinceMs)} ms after an outage`,
      })
      findings.check(5, silentMs >= LEASE_MS + GRACE_MS, {
        why: () => `the lease of session ${id} ended after ${Math.round(silentMs)} ms`,
      })
    }
    if (!isExpiry) return
    for (const { table, after } of commit.changes) {
      if (table === 'attempt') outlived.add(keyOfAttempt(after as AttemptRow))
    }
  }

  const checkSuccess = (row: AttemptRow) => {
    const executionId = row.execution_id
    const life = witness.livesOf(executionId).find(({ epoch }) => epoch === row.epoch)
    const exitCode = row.outcome === 'succeeded' ? 0 : row.exit_code
    if (exitCode === null) return
    findings.check(7, life?.endMs !== undefined && life.exitCode === exitCode, {
      why: () =>
        `${row.outcome} with ${exitCode}, but its life ended with ${String(life?.exitCode)}`,
      executionId,
    })
  }

  /** Its epoch is not current any more: it must end soon after its agent is back. */
  const checkStale = (agent: AgentNode) => {
    const { contact } = agent
    for (const { life } of agent.host.jobs.values()) {
      const row = tables.execution.getCommitted(life.executionId)
      if (row?.epoch === life.epoch) continue
      world.after(STOPPED_MS, LOOK_TAG, () => {
        if (agent.contact !== contact || !agent.isConnected) return
        findings.check(5, life.endMs !== undefined, {
          why: () => `epoch ${life.epoch} still runs ${STOPPED_MS} ms after its agent came back`,
          executionId: life.executionId,
        })
      })
    }
  }

  return {
    onStart: checkStart,
    onWelcome: checkStale,
    onCommit(commit) {
      checkSessions(commit)
      for (const { table, before, after } of commit.changes) {
        if (table === 'attempt' && before === undefined) checkSuccess(after as AttemptRow)
      }
    },
    onRest() {
      for (const agent of agents) {
        for (const { life } of agent.host.jobs.values()) {
          const row = tables.execution.getCommitted(life.executionId)
          findings.check(15, row?.epoch === life.epoch, {
            why: () => `a process of epoch ${life.epoch} is left on ${agent.name}`,
            executionId: life.executionId,
          })
        }
        findings.count(15)
      }
    },
  }
}

function keyOf({ executionId, epoch }: Life): string {
  return `${executionId}.${epoch}`
}

function keyOfAttempt({ execution_id, epoch }: AttemptRow): string {
  return `${execution_id}.${epoch}`
}
