import type { Command } from 'commander'
import { addExamples, type Run, setAction } from '../action.ts'
import { addListOptions } from '../paging.ts'
import { cordonWorker, deleteWorker, releaseWorker } from './worker/control.ts'
import { drainWorker } from './worker/drain.ts'
import { getWorker } from './worker/get.ts'
import { listWorkers } from './worker/list.ts'
import { labelWorker, setWorker } from './worker/settings.ts'
import { getWorkerStats } from './worker/stats.ts'

/** `rota worker ...` */
export function registerWorker(program: Command, run: Run): void {
  const worker = program
    .command('worker')
    .description('See the workers, what they can do, and take them out of service.')

  const list = worker.command('list').description('List workers.')
  addListOptions(list).option('--capability <name>', 'only those that have it, e.g. script')
  addExamples(list, 'rota worker list', 'rota worker list --capability script -o wide')
  setAction(list, run, listWorkers)

  const get = worker.command('get').argument('<name>', 'the worker').description('Show a worker.')
  addExamples(get, 'rota worker get worker-1', 'rota worker get worker-1 -o yaml')
  setAction(get, run, getWorker)

  const stats = add(worker, 'stats', 'Show what became of its attempts, and how busy it was.')
  stats.option('--window <duration>', 'how far back to look (default 1h)')
  addExamples(stats, 'rota worker stats worker-1', 'rota worker stats worker-1 --window 1d')
  setAction(stats, run, getWorkerStats)

  registerControl(worker, run)
  registerSettings(worker, run)
}

function registerControl(worker: Command, run: Run): void {
  const cordon = add(worker, 'cordon', 'Give it no new work; what runs there goes on.')
  cordon.option('--reason <text>', 'why, for whoever looks at it')
  addExamples(
    cordon,
    'rota worker cordon worker-1',
    'rota worker cordon worker-1 --reason "new disk"',
  )
  setAction(cordon, run, cordonWorker)

  const drain = add(worker, 'drain', 'Give it no new work, and let what runs there come to an end.')
  drain
    .option('--deadline <duration>', 'what still runs then is stopped and goes on elsewhere')
    .option('--force', 'stop it at once: a deadline of 0')
    .option('--reason <text>', 'why, for whoever looks at it')
    .option('--wait', 'show how far it is, and return when nothing runs any more')
    .option('--yes', 'do not ask before --force stops anything')
  addExamples(
    drain,
    'rota worker drain worker-1 --deadline 10m --wait',
    'rota worker drain worker-1 --force --reason "host on fire"',
  )
  setAction(drain, run, drainWorker)

  const release = add(worker, 'release', 'End a cordon or a drain, and forgive its failures.')
  addExamples(release, 'rota worker release worker-1', 'rota worker release worker-1 -o json')
  setAction(release, run, releaseWorker)

  const remove = add(worker, 'delete', 'Forget a worker and revoke its certificate.')
  remove
    .option('--force', 'also while it is connected: what it runs is lost and goes on elsewhere')
    .option('--yes', 'do not ask')
  addExamples(remove, 'rota worker delete worker-1', 'rota worker delete worker-1 --force --yes')
  setAction(remove, run, deleteWorker)
}

function registerSettings(worker: Command, run: Run): void {
  const label = add(worker, 'label', 'Set labels (KEY=VALUE) or take them away (KEY-).')
  label.argument('<change...>', 'KEY=VALUE or KEY-')
  addExamples(
    label,
    'rota worker label worker-1 region=eu tier=gold',
    'rota worker label worker-1 tier-',
  )
  setAction(label, run, labelWorker)

  const set = add(worker, 'set', 'Change how many slots it has, or the name it is shown by.')
  set
    .option('--slots <count>', 'at most what its agent offers; all: all of that')
    .option('--display-name <text>', 'for people; empty for none')
  addExamples(set, 'rota worker set worker-1 --slots 2', 'rota worker set worker-1 --slots all')
  setAction(set, run, setWorker)
}

/** A command about one worker. */
function add(parent: Command, name: string, description: string): Command {
  return parent.command(name).argument('<name>', 'the worker').description(description)
}
