// Starting and ending the processes of a test. Every process started here is ended
// by its own id, however the test ends.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout's root. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
/** The built program. */
export const binary = join(root, "bin/vitascope");

/** The servers that each test has started. */
const servers = new WeakMap();

/** A folder that is gone when the test ends, after its servers, which write to it. */
export function tempDir(t, name = "vitascope-e2e-") {
  const dir = mkdtempSync(join(tmpdir(), name));
  t.after(async () => {
    await Promise.all((servers.get(t) ?? []).map((server) => server.kill()));
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  });
  return dir;
}

/**
 * A loopback port that was free a moment ago, and is none of those that the system gives
 * to outgoing connections: a server that is killed finds it free again.
 */
export async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = createServer().listen(port, "127.0.0.1");
    const free = await once(server, "listening").then(() => true, () => false);
    if (!free) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}

/** The environment without any VITASCOPE_* of the caller, plus extra. */
export function environment(extra = {}) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([k]) => !k.startsWith("VITASCOPE_")));
  return { ...env, ...extra };
}

/** Runs a program to its end and returns what it printed; throws when it fails. */
export async function run(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  let stdout = "", stderr = "";
  child.stdout.on("data", (d) => (stdout += d));
  child.stderr.on("data", (d) => (stderr += d));
  const [code, signal] = await once(child, "close");
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: exit ${code ?? signal}\n${stdout}\n${stderr}`);
  return { stdout, stderr };
}

/** One running vitascope process. */
export class Server {
  constructor(child, url, log) {
    Object.assign(this, { child, url, log, loginURL: null });
  }

  /**
   * Starts `vitascope serve` and returns once it says that it answers.
   * @param {import("node:test").TestContext} t
   */
  static async start(t, { data, port, args = [], env = {} }) {
    const url = `http://127.0.0.1:${port}`;
    const child = spawn(binary, ["serve", "--data", data, "--listen", `127.0.0.1:${port}`, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: environment(env),
    });
    const log = [];
    const server = new Server(child, url, log);
    t.after(() => server.kill());
    servers.set(t, [...(servers.get(t) ?? []), server]);
    const ready = new Promise((resolve, reject) => {
      let out = "";
      child.stdout.on("data", (d) => {
        out += d;
        const login = out.match(/http\S+#\/login\/\S+/);
        if (login) server.loginURL = login[0];
        if (/Vitascope is at \S+\n/.test(out)) resolve(); // it is written with the rest of the welcome
      });
      child.stderr.on("data", (d) => log.push(String(d)));
      child.once("exit", (code, signal) => reject(new Error(`vitascope ended with ${code ?? signal} before it was ready:\n${log.join("")}`)));
    });
    await ready;
    return server;
  }

  /** Ends the process as a power cut would. */
  async kill() {
    await this.#end("SIGKILL");
  }

  /** Asks the process to stop and returns its exit code. */
  async stop() {
    await this.#end("SIGTERM");
    return this.child.exitCode;
  }

  async #end(signal) {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, "exit");
    this.child.kill(signal);
    await gone;
  }
}
