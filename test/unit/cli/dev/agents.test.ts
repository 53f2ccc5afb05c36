import { expect, it } from 'vitest'
import { AGENTS_DEFAULT, planAgents } from '../../../../cli/dev/agents.ts'

it('plans twelve agents with every mix of capabilities', () => {
  const plans = planAgents(AGENTS_DEFAULT)
  expect(plans.map(({ name, capabilities }) => `${name}: ${capabilities.join(', ')}`)).toEqual([
    'worker-1: script, api, shell',
    'worker-2: script, api, shell',
    'worker-3: script',
    'worker-4: script',
    'worker-5: api',
    'worker-6: api',
    'worker-7: shell',
    'worker-8: shell',
    'worker-9: script, api',
    'worker-10: api, shell',
    'worker-11: script, api, shell',
    'worker-12: script, shell',
  ])
})

it('begins the table again beyond the twelfth', () => {
  const plans = planAgents(15)
  expect(plans.slice(12).map(({ name }) => name)).toEqual(['worker-13', 'worker-14', 'worker-15'])
  expect(plans[14]?.capabilities).toEqual(plans[2]?.capabilities)
})
