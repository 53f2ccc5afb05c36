import { afterEach, beforeEach, expect, test } from 'vitest'
import { AttemptOutcome, LogStream } from '../../proto/gen/rota/v1/execution.ts'
import { FakeCoordinator } from '../support/fake-coordinator.ts'
import {
  createTestAgent,
  shellOf,
  type TestAgent,
  temporaryDataDir,
} from '../support/test-agent.ts'

let coordinator: FakeCoordinator
let folder: Awaited<ReturnType<typeof temporaryDataDir>>
let agent: TestAgent

beforeEach(async () => {
  coordinator = await FakeCoordinator.start()
  folder = await temporaryDataDir()
  agent = await createTestAgent({ coordinator, dataDir: folder.path })
  await agent.start()
})

afterEach(async () => {
  await agent.stop()
  await coordinator.stop()
  await folder.remove()
})

test('a shell command runs, and its output, outputs and exit come back', async () => {
  const session = await coordinator.nextSession()
  const assignment = shellOf('echo hello; echo oops >&2; echo answer=42 >> "$ROTA_OUTPUT"')
  session.assign(assignment)
  const finished = await coordinator.finished(assignment)
  expect(finished).toMatchObject({
    outcome: AttemptOutcome.SUCCEEDED,
    exitCode: 0,
    signal: '',
    message: '',
    outputs: { answer: '42' },
    logBytes: 11n,
    logBytesDropped: 0n,
  })
  const { execution, epoch } = assignment
  await coordinator.until(
    () => String(coordinator.logs.read(execution, epoch, LogStream.STDOUT)) === 'hello\n',
    'stdout',
  )
  await coordinator.until(
    () => String(coordinator.logs.read(execution, epoch, LogStream.STDERR)) === 'oops\n',
    'stderr',
  )
})
