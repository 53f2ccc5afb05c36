/** BullMQ: Redis that syncs every command to disk before it answers, and finished jobs are kept. */
import { Queue, Worker } from 'bullmq'
import { measureLatency, measureThroughput, Runs, Starts, serve } from './harness.js'

const CONCURRENCY = 100

const { socket } = JSON.parse(process.argv[2])
const connection = { path: socket, maxRetriesPerRequest: null }
const runs = new Runs()
const starts = new Starts()
const jobs = new Queue('noop', { connection })
await jobs.waitUntilReady()
let worker

const queue = {
  async start() {
    const noop = async ({ data }) => {
      starts.note()
      runs.note(data.number)
    }
    worker = new Worker('noop', noop, { connection, concurrency: CONCURRENCY })
    worker.on('error', (error) => process.stderr.write(`${error.message}\n`))
    await worker.waitUntilReady()
  },
  stop: () => worker.close(),
  add: (batch) => jobs.addBulk(batch.map((number) => ({ name: 'noop', data: { number } }))),
  async isSettled() {
    const { active, waiting, prioritized } = await jobs.getJobCounts()
    return active + waiting + prioritized === 0
  },
  countFailed: () => jobs.getFailedCount(),
  empty: () => jobs.obliterate({ force: true }),
}

await serve({
  commands: {
    throughput: ({ count }) => measureThroughput({ count, runs, queue }),
    latency: (args) => measureLatency({ ...args, queue, starts }),
  },
  close: () => jobs.close(),
})
