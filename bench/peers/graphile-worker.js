/** graphile-worker: rows of finished jobs are deleted, handlers run in this process. */
import { Logger, makeWorkerUtils, run } from 'graphile-worker'
import pg from 'pg'
import { measureLatency, measureThroughput, Runs, Starts, serve } from './harness.js'

const { databaseUrl, mode } = JSON.parse(process.argv[2])

/** As its own performance test has it (perfTest/graphile.config.js); the other is what it does when told nothing. */
const MODES = {
  best: {
    concurrentJobs: 24,
    maxPoolSize: 25,
    localQueue: { size: 500 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  },
  default: {},
}

process.env.NO_LOG_SUCCESS = '1'
const logger = new Logger(() => () => {})
const preset = { worker: { connectionString: databaseUrl, logger, ...MODES[mode] } }
const runs = new Runs()
const starts = new Starts()
const utils = await makeWorkerUtils({ preset })
await utils.migrate()
const database = new pg.Pool({ connectionString: databaseUrl, max: 1 })
let runner

const one = async (sql) => Object.values((await database.query(sql)).rows[0])[0]
const queue = {
  async start() {
    const noop = async ({ number }) => {
      starts.note()
      runs.note(number)
    }
    runner = await run({ preset, taskList: { noop }, noHandleSignals: true })
  },
  stop: () => runner.stop(),
  add: (batch) =>
    utils.addJobs(batch.map((number) => ({ identifier: 'noop', payload: { number } }))),
  isSettled: () => one('select not exists (select from graphile_worker._private_jobs)'),
  countFailed: async () =>
    Number(
      await one('select count(*) from graphile_worker._private_jobs where last_error <> $$$$'),
    ),
  empty: () => database.query('truncate graphile_worker._private_jobs'),
}

await serve({
  commands: {
    throughput: ({ count }) => measureThroughput({ count, runs, queue }),
    latency: (args) => measureLatency({ ...args, queue, starts }),
  },
  async close() {
    await utils.release()
    await database.end()
  },
})
