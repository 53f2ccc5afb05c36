import type { Command } from 'commander'
import { addExamples, type Run, setAction } from '../action.ts'
import { addListOptions } from '../paging.ts'
import { getWorker } from './worker/get.ts'
import { listWorkers } from './worker/list.ts'

/** `rota worker ...` */
export function registerWorker(program: Command, run: Run): void {
  const worker = program.command('worker').description('See the workers and what they can do.')

  const list = worker.command('list').description('List workers.')
  addListOptions(list).option('--capability <name>', 'only those that have it, e.g. script')
  addExamples(list, 'rota worker list', 'rota worker list --capability script -o wide')
  setAction(list, run, listWorkers)

  const get = worker.command('get').argument('<name>', 'the worker').description('Show a worker.')
  addExamples(get, 'rota worker get worker-1', 'rota worker get worker-1 -o yaml')
  setAction(get, run, getWorker)
}
