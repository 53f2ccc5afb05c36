/** The house style, as far as a machine can see it. docs/style is in the reviews; this keeps watch. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import ts from 'typescript'
import { afterAll, describe, expect, it } from 'vitest'
import { renderErrors } from '../docs/generate-errors.ts'

const ROOT = join(import.meta.dirname, '..')
const FILE_LINES_MAX = 400
const TEST_LINES_MAX = 600
const FUNCTION_LINES_MAX = 60
const PARAMETERS_MAX = 3

const files = ['coordinator', 'agent', 'cli', 'shared', 'test', 'docs'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name)),
)
const sources = files.filter((file) => !file.startsWith('test/'))
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')

interface FunctionSize {
  readonly place: string
  readonly lines: number
  readonly parameters: number
}

function functionsOf(file: string): FunctionSize[] {
  const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true)
  const found: FunctionSize[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const start = source.getLineAndCharacterOfPosition(node.getStart()).line
      const end = source.getLineAndCharacterOfPosition(node.getEnd()).line
      const { length } = node.parameters
      found.push({ place: `${file}:${start + 1}`, lines: end - start + 1, parameters: length })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

describe('the tree', () => {
  it('has no file that is too long', () => {
    const long = files.filter((file) => {
      const max = file.startsWith('test/') ? TEST_LINES_MAX : FILE_LINES_MAX
      return read(file).split('\n').length > max
    })
    expect(long).toEqual([])
  })

  it('has no function that is too long or takes too much', () => {
    const wrong = sources
      .flatMap(functionsOf)
      .filter(({ lines, parameters }) => lines > FUNCTION_LINES_MAX || parameters > PARAMETERS_MAX)
    expect(wrong).toEqual([])
  })

  it('names each file for its concept', () => {
    const vague = /^(index|utils?|helpers?|common|types|misc|interfaces)\.ts$/
    expect(files.filter((file) => vague.test(basename(file)))).toEqual([])
    const shape = /^[a-z0-9]+(-[a-z0-9]+)*(\.test)?\.ts$/
    expect(files.filter((file) => !shape.test(basename(file)))).toEqual([])
  })

  it('leaves nothing to do without an issue', () => {
    const marks = new RegExp(`\\b(TO${'DO'}|FIX${'ME'}|XX${'X'})\\b`)
    expect(files.filter((file) => marks.test(read(file)))).toEqual([])
  })

  it('opens no transaction in a query', () => {
    const queries = sources.filter((file) => file.endsWith('-queries.ts'))
    expect(queries.length).toBeGreaterThan(10)
    expect(queries.filter((file) => read(file).includes('.transaction('))).toEqual([])
  })
})

describe('what is made from something else', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rota-generated-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('is current: docs/errors.md', () => {
    expect(read('docs/errors.md')).toBe(renderErrors())
  })

  it('is current: proto/gen', () => {
    const buf = join(ROOT, 'node_modules', '.bin', 'buf')
    execFileSync(buf, ['generate', '-o', folder], { cwd: ROOT })
    const committed = readdirSync(join(ROOT, 'proto/gen'), { recursive: true, encoding: 'utf8' })
    const code = committed.filter((name) => name.endsWith('.ts'))
    expect(code.length).toBeGreaterThan(10)
    for (const name of code) {
      expect(readFileSync(join(folder, 'proto/gen', name), 'utf8'), name).toBe(
        read(join('proto/gen', name)),
      )
    }
  })
})
