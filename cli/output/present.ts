/** Prints what a command found, in the format that the user chose. */
import type { JsonValue } from '@bufbuild/protobuf'
import type { Invocation } from '../action.ts'
import { writeAll } from '../host.ts'
import type { ApiMessage, MachineFormat } from './proto-json.ts'
import { createScreen, type Screen } from './screen.ts'
import { escapeControls } from './text.ts'

/** One answer. Every format is made only when it is the one wanted. */
export interface View<T> {
  /** The answer; a list's answer is the whole response. */
  readonly answer: ApiMessage<T>
  /** For `-o jsonl`: one line each. Not given: the answer is the one line. */
  readonly items?: () => readonly ApiMessage<unknown>[]
  /** For `-o name`. */
  readonly names: () => readonly string[]
  /** For `-o table` and `-o wide`. */
  readonly text: (screen: Screen) => string
}

export async function present<T>(invocation: Invocation, view: View<T>): Promise<void> {
  const { host, options } = invocation
  switch (options.output) {
    case 'table':
    case 'wide':
      return writeAll(host.stdout, view.text(createScreen(invocation)))
    case 'name':
      return writeAll(
        host.stdout,
        view
          .names()
          .map((name) => `${name}\n`)
          .join(''),
      )
    case 'jsonl':
      return presentMessages(invocation, view.items?.() ?? [view.answer], 'jsonl')
    case 'json':
    case 'yaml':
      return presentMessages(invocation, [view.answer], options.output)
  }
}

/** For answers that are made of several of the API's: an object of their JSON. */
export async function presentJson(
  invocation: Invocation,
  parts: Readonly<Record<string, ApiMessage<unknown> | JsonValue>>,
): Promise<void> {
  const { renderJson, toProtoJson } = await import('./proto-json.ts')
  const { output } = invocation.options
  const json = Object.fromEntries(
    Object.entries(parts).map(([key, part]) => [key, isMessage(part) ? toProtoJson(part) : part]),
  )
  const format = output === 'yaml' || output === 'jsonl' ? output : 'json'
  await writeAll(invocation.host.stdout, await renderJson(json, format))
}

/** True when the user chose a format for programs: talk then stays away from stdout. */
export function isForMachine({ options }: Invocation): boolean {
  return options.output !== 'table' && options.output !== 'wide'
}

/** What is said to a person beside the data; may be several lines. */
export async function talk({ host }: Invocation, text: string): Promise<void> {
  const lines = text.split('\n').map(escapeControls)
  await writeAll(host.stderr, `${lines.join('\n')}\n`)
}

async function presentMessages(
  { host }: Invocation,
  messages: readonly ApiMessage<unknown>[],
  format: MachineFormat,
): Promise<void> {
  // Loads the descriptors; a table needs none.
  const { renderMessage } = await import('./proto-json.ts')
  for (const message of messages) {
    await writeAll(host.stdout, await renderMessage(message, format))
  }
}

function isMessage(part: ApiMessage<unknown> | JsonValue): part is ApiMessage<unknown> {
  return typeof part === 'object' && part !== null && 'codec' in part
}
