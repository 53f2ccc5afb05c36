/** The handlers that this agent can run: built-in ones, and those of the site's own modules. */
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { echo } from './handlers/echo.ts'
import { fail } from './handlers/fail.ts'
import type { Handler } from './handlers/handler.ts'
import { log } from './handlers/log.ts'
import { noop } from './handlers/noop.ts'
import { sleep } from './handlers/sleep.ts'

export type HandlerRegistry = ReadonlyMap<string, Handler>

const BUILT_IN: Readonly<Record<string, Handler>> = { noop, echo, sleep, fail, log }
const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/

/**
 * Loads every `.ts`, `.js` and `.mjs` file of the folder: `export const handlers = { name: async (context) => outputs }`.
 * Throws when one cannot be loaded, has no handlers, or names one that is there already.
 */
export async function loadHandlers(folder: string | undefined): Promise<HandlerRegistry> {
  const registry = new Map(Object.entries(BUILT_IN))
  if (folder === undefined) return registry
  const files = (await readdir(folder)).filter((file) => /\.(ts|js|mjs)$/.test(file)).sort()
  for (const file of files) {
    const path = join(resolve(folder), file)
    const module = (await import(pathToFileURL(path).href)) as { readonly handlers?: unknown }
    for (const [name, handler] of handlersOf(module.handlers, path)) {
      if (!NAME.test(name)) throw new TypeError(`${path}: ${name} cannot be the name of a handler`)
      if (registry.has(name)) throw new TypeError(`${path}: there is another handler ${name}`)
      registry.set(name, handler)
    }
  }
  return registry
}

function handlersOf(exported: unknown, path: string): [string, Handler][] {
  if (typeof exported !== 'object' || exported === null) {
    throw new TypeError(`${path}: does not export an object named handlers`)
  }
  return Object.entries(exported).map(([name, handler]) => {
    if (typeof handler !== 'function') throw new TypeError(`${path}: ${name} is not a function`)
    return [name, handler as Handler]
  })
}
