/**
 * Loaded before everything else of a child process (`node --import`): plants the mutant that the environment names into the
 * file as Node reads it. The files on the disk stay as they are.
 */
import { registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'
import { MUTANTS } from './mutants.ts'

const name = process.env['ROTA_MUTANT'] ?? ''
const mutant = MUTANTS.find((each) => each.name === name)
if (mutant === undefined) throw new Error(`there is no mutant ${JSON.stringify(name)}`)
const { file, find, replace } = mutant
const root = new URL('../../../', import.meta.url)
const url = new URL(file, pathToFileURL(new URL('.', root).pathname)).href

registerHooks({
  load(loaded, context, nextLoad) {
    const module = nextLoad(loaded, context)
    if (loaded !== url) return module
    const source = String(module.source)
    const pieces = source.split(find)
    if (pieces.length !== 2) {
      throw new Error(`the mutant ${name} fits ${pieces.length - 1} places of ${file}, not one`)
    }
    return { ...module, source: pieces.join(replace) }
  },
})
