/** pg-boss: ten loops that fetch a hundred each and complete them in one call; finished jobs are kept. */
import pg from 'pg'
import { PgBoss } from 'pg-boss'
import { measureLatency, measureThroughput, Runs, Starts, serve } from './harness.js'

const FETCH = 100
const LOOPS = 10
const IDLE_MS = 5

const { databaseUrl } = JSON.parse(process.argv[2])
const runs = new Runs()
const starts = new Starts()
const boss = new PgBoss({ connectionString: databaseUrl, max: LOOPS + 5 })
boss.on('error', (error) => process.stderr.write(`${error.message}\n`))
await boss.start()
await boss.createQueue('noop')
await boss.createQueue('single')
const database = new pg.Pool({ connectionString: databaseUrl, max: 1 })
const one = async (sql) => Object.values((await database.query(sql)).rows[0])[0]
let isOpen = false
let loops = []

async function loop() {
  while (isOpen) {
    const jobs = await boss.fetch('noop', { batchSize: FETCH })
    for (const { data } of jobs) runs.note(data.number)
    if (jobs.length > 0) {
      await boss.complete(
        'noop',
        jobs.map(({ id }) => id),
      )
    } else await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
  }
}

const queue = {
  async start() {
    isOpen = true
    loops = Array.from({ length: LOOPS }, loop)
  },
  async stop() {
    isOpen = false
    await Promise.all(loops)
  },
  add: (batch) =>
    boss.insert(
      'noop',
      batch.map((number) => ({ data: { number } })),
    ),
  isSettled: () =>
    one(`select not exists (select from pgboss.job where name = 'noop' and state < 'completed')`),
  countFailed: async () =>
    Number(await one(`select count(*) from pgboss.job where name = 'noop' and state = 'failed'`)),
  empty: () => boss.deleteAllJobs('noop'),
}

/** Its own worker, which polls. */
const single = {
  start: () =>
    boss.work('single', { pollingIntervalSeconds: 0.5, batchSize: 1 }, async () => starts.note()),
  stop: () => boss.offWork('single'),
  add: ([number]) => boss.send('single', { number }),
  isSettled: () =>
    one(`select not exists (select from pgboss.job where name = 'single' and state < 'completed')`),
}

await serve({
  commands: {
    throughput: ({ count }) => measureThroughput({ count, runs, queue }),
    latency: (args) => measureLatency({ ...args, queue: single, starts }),
  },
  async close() {
    await boss.stop({ graceful: false })
    await database.end()
  },
})
