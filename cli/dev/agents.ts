/** An agent of a development cluster. */
export interface AgentPlan {
  readonly name: string
  readonly capabilities: readonly string[]
}

/** Every mix of the three kinds of task, so that placement shows. */
const CAPABILITIES: readonly (readonly string[])[] = [
  ['script', 'api', 'shell'],
  ['script', 'api', 'shell'],
  ['script'],
  ['script'],
  ['api'],
  ['api'],
  ['shell'],
  ['shell'],
  ['script', 'api'],
  ['api', 'shell'],
  ['script', 'api', 'shell'],
  ['script', 'shell'],
]

/** How many agents a development cluster has unless told otherwise. */
export const AGENTS_DEFAULT = CAPABILITIES.length

/** `worker-1` and on; beyond the table it begins again. */
export function planAgents(count: number): AgentPlan[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `worker-${index + 1}`,
    capabilities: CAPABILITIES[index % CAPABILITIES.length] ?? [],
  }))
}
