import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    // Most files wait for processes, leases and due times, not for a core: more of them at once than there are cores.
    maxWorkers: 3,
    testTimeout: 90_000,
    hookTimeout: 90_000,
  },
})
