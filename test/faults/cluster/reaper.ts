/**
 * Ends everything that a cluster under test has started, and takes back what it has changed on this host, however the
 * suite ends. The file `undo` in its folder holds shell commands for the latter.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'

export interface Reaper {
  /** Kills every process of the folder and removes it. */
  reap(): Promise<void>
}

/**
 * Waits for the end of its input, which comes also when we are killed. Ours are those that work below the folder or were
 * started with a path below it; jobs and PostgreSQL are among them. Twenty rounds, since a fork storm may go on.
 */
const REAP = `
cat > /dev/null
for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  found=
  for each in /proc/[0-9]*; do
    pid=\${each#/proc/}
    [ "$pid" = "$$" ] && continue
    case "$(readlink "$each/cwd" 2> /dev/null)/ $(tr '\\0' ' ' 2> /dev/null < "$each/cmdline")" in
      *"$0/"*) kill -KILL "$pid" 2> /dev/null && found=yes ;;
    esac
  done
  [ -z "$found" ] && break
done
while read -r _ mount _; do
  case "$mount" in "$0/"*) umount -l "$mount" ;; esac
done < /proc/mounts
[ -f "$0/undo" ] && sh "$0/undo"
rm -rf "$0"
`

export function startReaper(folder: string): Reaper {
  const reaper = spawn('/bin/sh', ['-c', REAP, folder], {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const isDone = once(reaper, 'exit')
  return {
    async reap() {
      reaper.stdin.end()
      await isDone
    },
  }
}
