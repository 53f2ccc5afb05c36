import fc from 'fast-check'
import { expect, test } from 'vitest'
import { renderTemplate } from '../../../../agent/run/template.ts'
import { shellOf } from '../../../support/assignments.ts'

const ID = '0190d0c0-0000-7000-8000-000000000001'
const ASSIGNMENT = shellOf('true', {
  execution: `executions/${ID}`,
  job: 'jobs/a.b',
  attempt: 3,
  epoch: 12n,
  scheduledFor: new Date('2026-11-20T10:00:00Z'),
  parameters: { day: 'a&b', list: [1, 2], __proto__x: 'y' },
})

test.each([
  ['{{execution}}', ID],
  ['{{ job }}/{{attempt}}/{{epoch}}', 'a.b/3/12'],
  ['at {{scheduled_for}}', 'at 2026-11-20T10:00:00.000Z'],
  ['{{parameters.day}} {{ parameters.list }}', 'a&b [1,2]'],
  ['no {places} {{', 'no {places} {{'],
])('%s becomes %s', (template, text) => {
  expect(renderTemplate(template, ASSIGNMENT)).toEqual({ kind: 'text', text })
})

test.each(['{{parameters.other}}', '{{parameters.__proto__}}', '{{executions}}', '{{}}'])(
  '%s names nothing',
  (template) => {
    expect(renderTemplate(template, ASSIGNMENT)).toMatchObject({ kind: 'invalid' })
  },
)

test('what the execution does not have is not an empty text', () => {
  const { scheduledFor: _, ...without } = ASSIGNMENT
  expect(renderTemplate('{{scheduled_for}}', without)).toMatchObject({ kind: 'invalid' })
})

test('values are made fit for their place, and are no templates themselves', () => {
  const assignment = shellOf('true', { parameters: { a: '{{epoch}}/?', b: 'ok' } })
  expect(renderTemplate('x={{parameters.a}}', assignment, encodeURIComponent)).toEqual({
    kind: 'text',
    text: 'x=%7B%7Bepoch%7D%7D%2F%3F',
  })
})

test('no text makes it throw', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(renderTemplate(text, ASSIGNMENT).kind).toMatch(/text|invalid/)
    }),
  )
})

test('a long text without an end is read in no time', () => {
  const started = performance.now()
  renderTemplate(`{{${' '.repeat(256 * 1024)}`, ASSIGNMENT)
  renderTemplate('{{ '.repeat(64 * 1024), ASSIGNMENT)
  expect(performance.now() - started).toBeLessThan(500)
})
