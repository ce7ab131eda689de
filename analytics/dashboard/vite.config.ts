import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// `npm run dev` proxies everything that is not the dashboard to a server
// started with `vitascope serve`.
const server = "http://127.0.0.1:8080";
const proxied = ["/v1", "/uploads", "/hls", "/embed", "/player.js", "/assets/player", "/beacons"];

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: "dist/app",
    assetsDir: "assets/dashboard",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  server: { proxy: Object.fromEntries(proxied.map((path) => [path, server])) },
  test: { include: ["src/**/*.test.ts"], environment: "node", testTimeout: 60_000 },
});
