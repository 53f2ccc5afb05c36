/** What happens to coordinators. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Stage } from '../run/stage.ts'
import { type Fault, since, unless } from './fault.ts'

const rehomed = (ms: number) => ({ what: 'until its agents have sessions elsewhere', ms: () => ms })

/** One coordinator goes away somehow; its agents find another one, and their jobs notice nothing. */
async function loseCoordinator(
  stage: Stage,
  how: {
    readonly go: (lost: Awaited<ReturnType<Stage['busyCoordinator']>>['node']) => Promise<void>
    readonly comeBack: (
      lost: Awaited<ReturnType<Stage['busyCoordinator']>>['node'],
    ) => Promise<void>
  },
) {
  const probe = await stage.probe(stage.bystander)
  const { agents, node } = await stage.busyCoordinator()
  const startMs = Date.now()
  await how.go(node)
  await stage.whenRehomed(agents, startMs)
  const recoveryMs = since(startMs)
  await how.comeBack(node)
  return { recoveryMs, problems: unless(await probe.ended(), 'succeeded', ['succeeded']) }
}

export const coordinatorKilled: Fault = {
  name: 'coordinator-killed',
  what: 'SIGKILL of a coordinator that holds agents',
  target: rehomed(2_000),
  allowsOverlap: 'none',
  run: (stage) =>
    loseCoordinator(stage, { go: (node) => node.kill(), comeBack: (node) => node.start() }),
}

export const coordinatorStopped: Fault = {
  name: 'coordinator-stopped',
  what: 'SIGTERM of a coordinator that holds agents',
  target: rehomed(2_000),
  allowsOverlap: 'none',
  async run(stage) {
    let code: number | null = null
    const outcome = await loseCoordinator(stage, {
      async go(node) {
        code = await node.stop()
      },
      comeBack: (node) => node.start(),
    })
    const wrong = code === 0 ? [] : [`it ended with exit code ${code}`]
    return { ...outcome, problems: [...outcome.problems, ...wrong] }
  },
}

export const coordinatorFrozen: Fault = {
  name: 'coordinator-frozen',
  what: 'SIGSTOP of a coordinator that holds agents, for longer than a lease; then it wakes up',
  target: rehomed(7_000),
  allowsOverlap: 'none',
  run: (stage) =>
    loseCoordinator(stage, {
      go: async (node) => node.signal('SIGSTOP'),
      async comeBack(node) {
        await sleep(stage.leaseMs)
        node.signal('SIGCONT')
        await stage.whenApiServes()
      },
    }),
}

export const coordinatorStalled: Fault = {
  name: 'coordinator-stalled',
  what: 'a coordinator stands still for a quarter of a lease, as an event loop that is busy',
  target: undefined,
  allowsOverlap: 'none',
  async run(stage) {
    const probe = await stage.probe(stage.bystander)
    const { node } = await stage.busyCoordinator()
    node.signal('SIGSTOP')
    await sleep(stage.leaseMs / 4)
    node.signal('SIGCONT')
    const problems = unless(await probe.ended(), 'succeeded', ['succeeded'])
    return { recoveryMs: undefined, problems }
  },
}

export const coordinatorBlackHoled: Fault = {
  name: 'coordinator-black-holed',
  what: 'nothing passes between a coordinator and its agents, nor PostgreSQL, either way',
  target: rehomed(7_000),
  allowsOverlap: 'none',
  run: (stage) =>
    loseCoordinator(stage, {
      async go({ agentSide, databaseSides }) {
        const rules = { toTarget: { isHeld: true }, fromTarget: { isHeld: true } }
        for (const side of [agentSide, ...databaseSides]) side.apply(rules)
      },
      async comeBack({ agentSide, databaseSides }) {
        await sleep(stage.leaseMs)
        for (const side of [agentSide, ...databaseSides]) side.heal()
        await stage.whenApiServes()
      },
    }),
}

export const coordinatorKilledRepeatedly: Fault = {
  name: 'coordinator-killed-repeatedly',
  what: 'five times SIGKILL of a coordinator that holds agents, each time with a new start',
  target: rehomed(2_000),
  allowsOverlap: 'none',
  async run(stage) {
    const outcomes = []
    for (let round = 0; round < 5; round += 1) outcomes.push(await coordinatorKilled.run(stage))
    return {
      recoveryMs: Math.max(...outcomes.map(({ recoveryMs = 0 }) => recoveryMs)),
      problems: outcomes.flatMap(({ problems }) => problems),
    }
  },
}

export const allCoordinatorsDown: Fault = {
  name: 'all-coordinators-down',
  what: 'SIGKILL of every coordinator for longer than a lease; jobs go on and spool their results',
  target: { what: 'from the first one back until due fires are caught up', ms: () => 5_000 },
  allowsOverlap: 'none',
  async run(stage) {
    const { agents, coordinators } = stage.cluster
    const probe = await stage.probe({ seconds: stage.bystander.seconds })
    await Promise.all(coordinators.map((node) => node.kill()))
    await probe.gone(1)
    await sleep(stage.leaseMs * 1.5)
    await coordinators[0]?.start()
    const startMs = Date.now()
    await stage.whenFiring(startMs)
    const recoveryMs = since(startMs)
    const problems = unless(await probe.ended(), 'succeeded', ['succeeded'])
    await Promise.all(coordinators.slice(1).map((node) => node.start()))
    await stage.whenRehomed(
      agents.map(({ name }) => name),
      startMs,
    )
    return { recoveryMs, problems }
  },
}

export const rollingRestart: Fault = {
  name: 'rolling-restart',
  what: 'every coordinator in turn is stopped and started, as in an upgrade',
  target: undefined,
  allowsOverlap: 'none',
  async run(stage) {
    const probe = await stage.probe({ seconds: 10, guarantee: 'exclusive' })
    const problems: string[] = []
    for (const node of stage.cluster.coordinators) {
      const code = await node.stop()
      if (code !== 0) problems.push(`${node.name} ended with exit code ${code}`)
      await node.start()
    }
    problems.push(...unless(await probe.ended(), 'succeeded', ['succeeded']))
    return { recoveryMs: undefined, problems }
  },
}
