import type { Command } from 'commander'
import { addExamples, type Run, setAction } from '../action.ts'
import { addListOptions } from '../paging.ts'
import { deleteFreeze, endFreeze } from './freeze/control.ts'
import { createFreeze } from './freeze/create.ts'
import { getFreeze } from './freeze/get.ts'
import { listFreezes } from './freeze/list.ts'

/** `rota freeze ...` */
export function registerFreeze(program: Command, run: Run): void {
  const freeze = program
    .command('freeze')
    .description('Times in which nothing that is due runs, over all jobs or some.')
  registerReaders(freeze, run)
  registerWriters(freeze, run)
}

function registerReaders(freeze: Command, run: Run): void {
  const list = addListOptions(freeze.command('list').description('List freezes, latest first.'))
  addExamples(list, 'rota freeze list', "rota freeze list --filter 'state = ACTIVE' -o wide")
  setAction(list, run, listFreezes)

  const get = add(freeze, 'get', 'Show a freeze, and what it has skipped so far.')
  addExamples(get, 'rota freeze get year-end', 'rota freeze get year-end -o yaml')
  setAction(get, run, getFreeze)
}

function registerWriters(freeze: Command, run: Run): void {
  const create = add(freeze, 'create', 'Let nothing that is due run for a while.')
  create
    .option('--until <time>', 'its end: RFC 3339, or "in 2h"; needed')
    .option('--from <time>', 'its begin (default now)')
    .option('--jobs <prefix>', 'only jobs whose id begins so, e.g. billing.')
    .option('--selector <expression>', 'only jobs with such labels, e.g. "team = payments"')
    .option('--after <what>', 'skip (default), run-once or run-all of what it has skipped')
    .option('--include-manual', 'refuse triggers by hand, too')
    .option('--reason <text>', 'why; stands in the ledger')
    .option('--dry-run', 'check and show it, store nothing')
  addExamples(
    create,
    'rota freeze create year-end --jobs billing. --after run-once --reason audit \\\n    --from 2026-12-30T18:00:00Z --until 2027-01-02T06:00:00Z',
    'rota freeze create incident --until "in 2h" --include-manual',
  )
  setAction(create, run, createFreeze)

  const end = add(freeze, 'end', 'End a freeze now; what is to run after it does.')
  addExamples(end, 'rota freeze end incident', 'rota freeze end incident -o json')
  setAction(end, run, endFreeze)

  const remove = add(freeze, 'delete', 'Delete a freeze that has not begun, or is over.')
  addExamples(remove, 'rota freeze delete year-end', 'rota freeze delete year-end -o json')
  setAction(remove, run, deleteFreeze)
}

/** A command about one freeze. */
function add(parent: Command, name: string, description: string): Command {
  return parent.command(name).argument('<name>', 'the freeze').description(description)
}
