import { expect, test } from 'vitest'
import { describeRules } from '../../../../../shared/schedule/describe/describe.ts'
import { readRules } from '../../../../../shared/schedule/rule-text.ts'

test.each([
  ['* * * * *', 'every minute'],
  ['*/5 * * * *', 'every 5 minutes'],
  ['0 * * * *', 'every hour'],
  ['15 * * * *', 'every hour at minute 15'],
  ['30 2 * * *', 'every day at 02:30'],
  ['30 0 2 * * *', 'every day at 02:00:30'],
  ['*/10 * * * * *', 'every 10 seconds'],
  ['0 9,12 * * 1-5', 'every weekday at 09:00 and 12:00'],
  ['*/15 9-17 * * MON-FRI', 'every 15 minutes from 09:00 to 17:59, every weekday'],
  ['0 */2 * * *', 'every 2 hours'],
  ['0 18 * * 1,4', 'on Monday and Thursday at 18:00'],
  ['0 9 * * 6,0', 'on Saturday and Sunday at 09:00'],
  ['0 12 * 5 *', 'every day in May at 12:00'],
  ['0 0 1 1,4,7,10 *', 'on the 1st of the month in January, April, July and October at 00:00'],
  ['0 0 L * *', 'on the last day of the month at 00:00'],
  ['0 0 L-3 * *', 'on 3 days before the last day of the month at 00:00'],
  ['0 0 LW * *', 'on the last weekday (Monday to Friday) of the month at 00:00'],
  ['0 0 15W * *', 'on the weekday (Monday to Friday) nearest to the 15th of the month at 00:00'],
  ['0 17 * * 5L', 'on the last Friday of the month at 17:00'],
  ['0 0 * * FRI#2', 'on the second Friday of the month at 00:00'],
  ['0 0 13 * 5', 'on the 13th of the month or on Friday at 00:00'],
  [
    '0 0 */2 * 1',
    'on every 2nd day of the month (the 1st, 3rd, 5th ...), if it is also Monday at 00:00',
  ],
  ['0 0 1-31 * 5', 'every day at 00:00'],
  [
    '0 9 * * TUE every 2 weeks from 2026-11-24',
    'on Tuesday every 2 weeks from 2026-11-24 at 09:00',
  ],
  ['0 2 * * * every 3 days from 2026-11-20', 'every 3 days from 2026-11-20 at 02:00'],
  ['*/7 * * * *', 'at minute 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour'],
  ['1-5,10 8-10 * * *', 'every day at minute 1 to 5 and 10 of the hours 8 to 10'],
  ['* 30 2 * * *', 'every day every second of minute 30 of the hour 2'],
  ['H 3 * * *', 'every day at a minute from 0 to 59 picked by the job and hour 3'],
  ['@weekly', 'on Sunday at 00:00'],
  ['@every 90s', 'every 90 seconds'],
  ['@every 90m', 'every 1 hour and 30 minutes'],
  ['@every 6h phase 15m', 'every 6 hours, 15 minutes after 00:00 UTC of 1970-01-01'],
  ['@at 2026-11-21T17:00:00Z', 'once at 2026-11-21T17:00:00Z'],
  ['0 9 * * 1-5; 0 12 * * 6', 'every weekday at 09:00; and on Saturday at 12:00'],
])('%s', (text, description) => {
  const reading = readRules(text)
  expect(reading.kind === 'rules' && describeRules(reading.rules)).toBe(description)
})
