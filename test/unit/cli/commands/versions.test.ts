import { afterAll, beforeAll, expect, it } from 'vitest'
import { Job, JobSpec } from '../../../../proto/gen/rota/v1/job.ts'
import {
  JobVersion,
  type RollbackJobRequest,
  ScheduleImpact,
} from '../../../../proto/gen/rota/v1/job_service.ts'
import { rota, type ScriptedServer, startScriptedServer } from '../../../support/cli.ts'

const specOf = (command: string, cron: string) =>
  JobSpec.fromJSON({ task: { shell: { command } }, schedule: { recurrences: [{ cron }] } })
const job = Job.fromPartial({ name: 'jobs/backup', version: 3, spec: specOf('date', '0 2 * * *') })
const createTime = new Date('2026-11-20T02:00:00Z')
const versions = [
  JobVersion.fromPartial({
    ...{ version: 2, spec: specOf('date -u', '0 3 * * *'), createTime },
    ...{ createdBy: 'token:admin', note: 'later' },
  }),
  JobVersion.fromPartial({ version: 1, spec: job.spec, createTime, createdBy: 'token:admin' }),
]

let server: ScriptedServer
let asked: RollbackJobRequest | undefined

beforeAll(async () => {
  server = await startScriptedServer({
    listJobVersions: ({ pageToken }) =>
      pageToken === ''
        ? { versions: versions.slice(0, 1), nextPageToken: 'next' }
        : { versions: versions.slice(1), nextPageToken: '' },
    rollbackJob(request) {
      asked = request
      return { job, impact: ScheduleImpact.fromPartial({ nextBefore: [createTime] }) }
    },
  })
})
afterAll(async () => server.stop())

const run = (...args: string[]) => rota(['job', ...args], { dataDir: server.dataDir })

it('lists versions, page by page', async () => {
  const { exitCode, stdout } = await run('versions', 'backup')
  expect(exitCode).toBe(0)
  const lines = stdout.trimEnd().split('\n')
  expect(lines).toHaveLength(3)
  expect(lines[0]).toMatch(/^VERSION +SAVED +BY +WHEN +TASK +NOTE/)
  expect(lines[1]).toMatch(/^ +2 .*token:admin +0 3 \* \* \* +date -u +later/)
  expect(lines[2]).toMatch(/^ +1 .*token:admin +0 2 \* \* \* +date/)
  const json = await run('versions', 'backup', '-o', 'json')
  expect(JSON.parse(json.stdout)).toMatchObject({ versions: [{ version: 2 }, { version: 1 }] })
  expect((await run('versions', 'backup', '-o', 'name')).stdout).toBe('2\n1\n')
})

it('rolls back, and says which version that made', async () => {
  const { exitCode, stdout } = await run('rollback', 'backup', '--to', '1', '--note', 'why')
  expect(exitCode).toBe(0)
  expect(asked).toMatchObject({ name: 'jobs/backup', version: 1, note: 'why', validateOnly: false })
  expect(stdout).toContain('job backup is as in version 1 again, saved as version 3')
})

it('shows what a rollback would do', async () => {
  const { stdout } = await run('rollback', 'backup', '--to', '1', '--dry-run')
  expect(asked).toMatchObject({ validateOnly: true })
  expect(stdout).toContain('job backup would be as in version 1 again')
  expect(stdout).toContain('DUE BEFORE')
})

it.each([
  [['rollback', 'backup'], '--to: is missing'],
  [['rollback', 'backup', '--to', '0'], '--to: "0" is not allowed'],
  [['rollback', 'backup', '--to', 'last'], '--to: "last" is not allowed'],
] as const)('refuses %j', async (args, message) => {
  const { exitCode, stderr } = await run(...args)
  expect(exitCode).toBe(2)
  expect(stderr).toContain(message)
})
