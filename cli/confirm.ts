import type { Invocation } from './action.ts'
import { writeAll } from './host.ts'
import { escapeControls } from './output/text.ts'

/** Asks a person on a terminal, and nobody else: a script has said what it wants. True for yes. */
export async function confirm(
  { host }: Invocation,
  { question, isSure }: { readonly question: string; readonly isSure: boolean },
): Promise<boolean> {
  if (isSure || host.stdin.isTTY !== true || host.stderr.isTTY !== true) return true
  await writeAll(host.stderr, `${escapeControls(question)} [y/N] `)
  let answer = ''
  for await (const chunk of host.stdin) {
    answer += new TextDecoder().decode(chunk)
    if (answer.includes('\n')) break
  }
  if (/^\s*y(es)?\s*$/i.test(answer.split('\n')[0] ?? '')) return true
  await writeAll(host.stderr, 'Nothing was done.\n')
  return false
}
