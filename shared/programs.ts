/** Our long-lived processes, and how Node is started for them wherever we start one. */
export interface Program {
  readonly script: URL
  readonly nodeFlags: readonly string[]
}

// V8's default young generation (3 x 16 MiB) would be a third of an agent's memory; at rest a small one costs nothing
// that can be measured. Under load an agent of 1 MiB took 100 to 113 us for a short execution, one of 2 MiB 79 to 97 and one of
// 4 MiB 73 to 75, at 85 and 88 MB at rest for the latter two. A coordinator with 1,000 idle agents took 7.4 and
// 8.1 % of a core with 4 MiB and 5.9 % with 16 MiB, some 20 MB more (three runs of `npm run bench -- leases`, noisy machine).
//
// Code that is not used for a while is thrown away, and young generations shrink: after half a minute of rest a short execution
// took an agent 87 us instead of 52, the coordinator 61 instead of 49. So both keep their code, at some 10 MB each, and
// the coordinator its young generation; an agent, of which there are many, gives its own back.

export const COORDINATOR: Program = {
  script: new URL('../coordinator/main.ts', import.meta.url),
  nodeFlags: ['--max-semi-space-size=16', '--min-semi-space-size=16', '--no-flush-bytecode'],
}

export const AGENT: Program = {
  script: new URL('../agent/main.ts', import.meta.url),
  nodeFlags: ['--max-semi-space-size=4', '--no-flush-bytecode'],
}

/** Started by an agent, once per data folder. Few and small threads, for all it does is wait. */
export const WARDEN: Program = {
  script: new URL('../agent/warden/main.ts', import.meta.url),
  nodeFlags: ['--max-semi-space-size=1', '--v8-pool-size=1'],
}
