import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/longest-first.ts'

const UNIT = 'test/unit/**/*.test.ts'

export default defineConfig({
  test: {
    pool: 'forks',
    // Most files wait for processes, leases and due times, not for a core: more of them at once than there are cores.
    maxWorkers: 4,
    // Files share nothing but what they import: a process runs many of them, and loads that once.
    isolate: false,
    testTimeout: 90_000,
    hookTimeout: 90_000,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: [UNIT, 'test/tidy.test.ts'] },
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
