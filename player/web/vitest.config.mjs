import { defineConfig } from "vitest/config";

// The browser tests run under node --test (npm run test:browser).
export default defineConfig({ test: { include: ["test/*.test.ts"], testTimeout: 60_000 } });
