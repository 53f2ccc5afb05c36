/** Lets `rota` without options find this cluster, also when its data folder is not the default one. */
import { rmSync } from 'node:fs'
import { type CliContext, readCliContext, writeCliContext } from '../../shared/cli-context.ts'
import { isProcessAlive } from '../../shared/lock-file.ts'

/** True when `file` names this cluster now; false when that of another living process was left as it is. */
export function claimDefaultContext(file: string, context: CliContext): boolean {
  const found = readCliContext(file)
  if (found !== undefined && found.pid !== context.pid && isProcessAlive(found.pid)) return false
  writeCliContext(file, context)
  return true
}

/** Removes it, unless another process has written its own since. */
export function releaseDefaultContext(file: string, pid: number): void {
  if (readCliContext(file)?.pid === pid) rmSync(file, { force: true })
}
