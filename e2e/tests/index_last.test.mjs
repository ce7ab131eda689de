// An upload whose index comes last, killed with its server at many points, its last
// bytes among them: it goes on where it was, and what arrives is what was sent. One that
// is given up leaves nothing.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { API, until } from "../lib/api.mjs";
import { indexLast } from "../lib/media.mjs";
import { freePort, Server, tempDir } from "../lib/process.mjs";

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

test("an upload with its index last survives kills and ends whole", async (t) => {
  const dir = tempDir(t);
  const data = join(dir, "data");
  const port = await freePort();
  const bytes = readFileSync(await indexLast(dir));
  assert.ok(bytes.length > 7 * (16 << 20), `more parts than are kept and in flight: ${bytes.length}`);
  let server = await Server.start(t, { data, port });
  const api = API.ofDataFolder(server.url, data);
  const { id, location } = await api.create(bytes.length, "last.mp4");
  const folder = () => {
    const accounts = join(data, "s3/objects/vitascope/accounts");
    return join(accounts, readdirSync(accounts).find((a) => existsSync(join(accounts, a, "media", id))), "media", id);
  };

  // Each time all that is missing is sent, and the server dies so many milliseconds after
  // that began: among parts at first, and with the last bytes on their way.
  let offset = 0;
  for (const wait of [150, 300, 200, 200, 150, 150, 100]) {
    const sent = api.patch(location, offset, bytes.subarray(offset)).catch(() => null);
    await Promise.race([sleep(wait), sent]);
    await server.kill();
    await sent;
    server = await Server.start(t, { data, port });
    const m = await api.media(id);
    if (m.uploaded_at) break;
    const now = await api.offset(location);
    assert.ok(now >= offset && now <= bytes.length, `no byte is asked for twice: ${offset}, then ${now}`);
    t.diagnostic(`killed after ${wait} ms: from ${offset} to ${now} of ${bytes.length}`);
    offset = now;
  }
  if (!(await api.media(id)).uploaded_at) assert.equal((await api.patch(location, offset, bytes.subarray(offset))).status, 204);
  const m = await api.waitFor(id, ["playable", "ready"]);
  assert.ok(Math.abs(m.duration_seconds - 40) < 0.2, `its length: ${m.duration_seconds}`);
  assert.equal(sha256(readFileSync(join(folder(), "g1/source"))), sha256(bytes));
  await until("pieces to be gone", async () => !existsSync(join(folder(), "g1/upload")) || readdirSync(join(folder(), "g1/upload")).length === 0);
});

test("an upload killed while its parts are put together is whole", async (t) => {
  const dir = tempDir(t);
  const data = join(dir, "data");
  const port = await freePort();
  const bytes = readFileSync(await indexLast(dir));
  const before = 96 << 20;
  let server = await Server.start(t, { data, port });
  const api = API.ofDataFolder(server.url, data);
  for (const wait of [100, 140, 180, 220, 300]) {
    const { id, location } = await api.create(bytes.length, "last.mp4");
    assert.equal((await api.patch(location, 0, bytes.subarray(0, before))).status, 204);
    const sent = api.patch(location, before, bytes.subarray(before)).catch(() => null);
    await Promise.race([sleep(wait), sent]);
    await server.kill();
    await sent;
    server = await Server.start(t, { data, port });
    const offset = await api.offset(location);
    assert.ok(offset >= before, `nothing acknowledged is lost: ${offset}`);
    t.diagnostic(`killed after ${wait} ms: ${offset} of ${bytes.length}`);
    if (offset < bytes.length) assert.equal((await api.patch(location, offset, bytes.subarray(offset))).status, 204);
    await api.waitFor(id, ["playable", "ready"]);
    await until("the source", async () => (await api.media(id)).uploaded_at);
    const accounts = join(data, "s3/objects/vitascope/accounts");
    assert.equal(sha256(readFileSync(join(accounts, readdirSync(accounts).find((a) => existsSync(join(accounts, a, "media", id))), "media", id, "g1/source"))), sha256(bytes));
  }
});

test("an upload with its index last that is given up leaves nothing", async (t) => {
  const dir = tempDir(t);
  const data = join(dir, "data");
  const bytes = readFileSync(await indexLast(dir));
  const server = await Server.start(t, { data, port: await freePort() });
  const api = API.ofDataFolder(server.url, data);
  const { id, location } = await api.create(bytes.length, "last.mp4");
  // Most of it comes, and then nothing: it cannot end before it is given up.
  const stalled = new ReadableStream({ start: (c) => c.enqueue(bytes.subarray(0, Math.floor(bytes.length * 0.9))) });
  const sent = api.patch(location, 0, stalled).catch(() => null);
  await until("a part to be kept", async () => files(join(data, "s3/objects/vitascope"), id).some((f) => statSync(f).size > 1 << 20));
  const gone = await fetch(new URL(location, server.url), { method: "DELETE", headers: { "Tus-Resumable": "1.0.0", Authorization: `Bearer ${api.token}` } });
  assert.equal(gone.status, 204);
  assert.notEqual((await sent)?.status, 204);
  await until("all of it to be gone", async () => files(join(data, "s3/objects/vitascope"), id).length === 0);
});

/** The objects of a media, its pointer included. */
function files(dir, id) {
  return readdirSync(dir, { recursive: true, withFileTypes: true }).filter((e) => e.isFile()).map((e) => join(e.parentPath ?? e.path, e.name)).filter((p) => p.includes(id));
}
