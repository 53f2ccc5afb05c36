import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/longest-first.ts'

const UNIT = 'test/unit/**/*.test.ts'

export default defineConfig({
  test: {
    pool: 'forks',
    // Most files wait for processes, leases and due times, not for a core: more of them at once than there are cores.
    maxWorkers: 3,
    testTimeout: 90_000,
    hookTimeout: 90_000,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        // They share nothing: one process runs many files, and loads what they import once.
        test: { name: 'unit', include: [UNIT, 'test/tidy.test.ts'], isolate: false },
      },
      {
        extends: true,
        test: {
          name: 'cluster',
          include: ['test/**/*.test.ts'],
          exclude: [UNIT, 'test/tidy.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
        },
      },
    ],
  },
})
