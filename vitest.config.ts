import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/fixtures/**", "node_modules/**"],
    globalSetup: ["test/support/global-setup.ts"],
    setupFiles: ["test/support/leak-guard.ts"],
    pool: "forks",
    // The files of a process share its modules: half of the processor time was loading them anew. The leak guard sees
    // to it that a file leaves nothing open for the next.
    isolate: false,
    // Most of a test is waiting: on two cores four files at once took 348 s, three 414 s.
    maxWorkers: 4,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
