import type { Command } from 'commander'
import { addExamples, type Run, setAction } from '../action.ts'
import { addListOptions } from '../paging.ts'
import { deleteCalendar } from './calendar/control.ts'
import { addDayFlags } from './calendar/day-flags.ts'
import { createCalendar, updateCalendar } from './calendar/define.ts'
import { getCalendar } from './calendar/get.ts'
import { importCalendar } from './calendar/import.ts'
import { listCalendars } from './calendar/list.ts'

/** `rota calendar ...` */
export function registerCalendar(program: Command, run: Run): void {
  const calendar = program
    .command('calendar')
    .description('Name sets of days that schedules exclude or keep to.')
  registerReaders(calendar, run)
  registerWriters(calendar, run)
}

function registerReaders(calendar: Command, run: Run): void {
  const list = addListOptions(calendar.command('list').description('List calendars.'))
  addExamples(list, 'rota calendar list', "rota calendar list --filter 'name:holidays' -o wide")
  setAction(list, run, listCalendars)

  const get = add(calendar, 'get', 'Show a calendar and its days.')
  addExamples(get, 'rota calendar get holidays', 'rota calendar get holidays -o yaml')
  setAction(get, run, getCalendar)
}

function registerWriters(calendar: Command, run: Run): void {
  const create = addDayFlags(add(calendar, 'create', 'Create a calendar.'))
  addExamples(
    create,
    'rota calendar create weekends --weekday sat --weekday sun',
    'rota calendar create holidays --yearly 12-25 --yearly 01-01 --date 2027-03-26',
    'rota job create report --command "make report" --schedule "0 6 * * *" \\\n    --exclude-calendar holidays',
  )
  setAction(create, run, createCalendar)

  const update = addDayFlags(add(calendar, 'update', 'Change a calendar: only what options say.'))
    .option('--etag <etag>', 'only if it is still as it was with this etag')
    .addHelpText(
      'after',
      '\nA repeatable option replaces all values of its setting; the word none removes it. What\nis not decided yet follows the new days at once.',
    )
  addExamples(
    update,
    'rota calendar update holidays --date 2027-03-26 --date 2028-04-14',
    'rota calendar update holidays --range none',
  )
  setAction(update, run, updateCalendar)

  const read = calendar
    .command('import')
    .argument('<file>', 'the .ics file; - reads stdin')
    .description('Make the days of an iCalendar file those of a calendar.')
    .option('--name <calendar>', 'the calendar (default: the name of the file)')
    .option('--keep', 'add them to the days that it has')
    .option('--dry-run', 'read and check it, store nothing')
  addExamples(
    read,
    'rota calendar import holidays.ics',
    'curl -s $FEED_URL | rota calendar import - --name holidays.fr',
  )
  setAction(read, run, importCalendar)

  const remove = add(calendar, 'delete', 'Delete a calendar that no job uses.')
  remove.option('--etag <etag>', 'only if it is still as it was with this etag')
  addExamples(remove, 'rota calendar delete holidays', 'rota calendar delete holidays --etag 3')
  setAction(remove, run, deleteCalendar)
}

/** A command about one calendar. */
function add(parent: Command, name: string, description: string): Command {
  return parent.command(name).argument('<name>', 'the calendar').description(description)
}
