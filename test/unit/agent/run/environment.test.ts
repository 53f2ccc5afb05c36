import { expect, test } from 'vitest'
import { hostEnvironment, jobEnvironment } from '../../../../agent/run/environment.ts'
import { shellOf } from '../../../support/assignments.ts'

const ID = '0190d0c0-0000-7000-8000-000000000001'

test('a host without PATH still has one', () => {
  expect(hostEnvironment({ SECRET: 'x' })).toEqual({
    PATH: expect.stringContaining('/usr/bin'),
  })
})

test('a job is told what it is', () => {
  const assignment = shellOf('true', {
    execution: `executions/${ID}`,
    job: 'jobs/billing.nightly',
    attempt: 2,
    epoch: 7n,
    scheduledFor: new Date('2026-11-20T10:00:00Z'),
    parameters: { day: '2026-11-19', 'max-rows': 5, flags: { a: true } },
  })
  const environment = jobEnvironment({ host: {}, task: {}, assignment, outputFile: '/out' })
  expect(environment).toEqual({
    ROTA_EXECUTION: ID,
    ROTA_JOB: 'billing.nightly',
    ROTA_ATTEMPT: '2',
    ROTA_EPOCH: '7',
    ROTA_SCHEDULED_FOR: '2026-11-20T10:00:00.000Z',
    ROTA_OUTPUT: '/out',
    ROTA_PARAM_DAY: '2026-11-19',
    ROTA_PARAM_MAX_ROWS: '5',
    ROTA_PARAM_FLAGS: '{"a":true}',
    ROTA_PARAMETERS: '{"day":"2026-11-19","max-rows":5,"flags":{"a":true}}',
  })
})

test('the task wins over the host, Rota over both', () => {
  const environment = jobEnvironment({
    host: { PATH: '/host', HOME: '/root' },
    task: { PATH: '/task', ROTA_EPOCH: '999' },
    assignment: shellOf('true', { epoch: 7n }),
    outputFile: '/out',
  })
  expect(environment).toMatchObject({ PATH: '/task', HOME: '/root', ROTA_EPOCH: '7' })
  expect(environment).not.toHaveProperty('ROTA_SCHEDULED_FOR')
})
