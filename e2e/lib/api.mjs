// The JSON API as a program uses it, with a bearer token.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Asks again each 200 ms until `ask` returns something truthy. */
export async function until(what, ask, { timeout = 300_000 } = {}) {
  const deadline = Date.now() + timeout;
  let last;
  while (Date.now() < deadline) {
    try {
      const value = await ask();
      if (value) return value;
      last = value;
    } catch (err) {
      last = err;
    }
    await sleep(200);
  }
  throw new Error(`gave up waiting for ${what}; last: ${last?.stack ?? JSON.stringify(last)}`);
}

/**
 * Waits until the day (UTC) is to last for so many minutes more. A visitor is a visitor of
 * one day: who comes before and after midnight is counted twice.
 */
export async function dayLasts(minutes) {
  const left = 86_400_000 - (Date.now() % 86_400_000);
  if (left < minutes * 60_000) await sleep(left + 1000);
}

export class API {
  constructor(url, token) {
    Object.assign(this, { url, token });
  }

  /** The token that the first start leaves in the data folder. */
  static ofDataFolder(url, data) {
    return new API(url, readFileSync(join(data, "cli-token"), "utf8").trim());
  }

  async call(method, path, body) {
    const res = await fetch(this.url + path, {
      method,
      headers: { Authorization: `Bearer ${this.token}`, ...(body ? { "Content-Type": "application/json" } : {}) },
      body: body && JSON.stringify(body),
    });
    const text = await res.text();
    assert.ok(res.ok, `${method} ${path}: ${res.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  media(id) {
    return this.call("GET", `/v1/media/${id}`);
  }

  async uploadFile(file, name = basename(file)) {
    return this.upload(await readFile(file), name);
  }

  /** Uploads bytes by tus in one request after creation. */
  async upload(bytes, name) {
    const { id, location } = await this.create(bytes.length, name);
    if (bytes.length > 0) {
      const res = await this.patch(location, 0, bytes);
      assert.equal(res.status, 204, `PATCH: ${res.status} ${await res.text()}`);
    }
    return id;
  }

  async create(length, name) {
    const res = await fetch(`${this.url}/uploads/`, {
      method: "POST",
      headers: {
        Authorization: `Bearer ${this.token}`,
        "Tus-Resumable": "1.0.0",
        "Upload-Length": String(length),
        "Upload-Metadata": `filename ${Buffer.from(name).toString("base64")}`,
      },
    });
    assert.equal(res.status, 201, `create upload: ${res.status} ${await res.text()}`);
    return { id: res.headers.get("vitascope-media-id"), location: new URL(res.headers.get("location"), this.url).href };
  }

  patch(location, offset, bytes) {
    return fetch(location, {
      method: "PATCH",
      headers: {
        Authorization: `Bearer ${this.token}`,
        "Tus-Resumable": "1.0.0",
        "Upload-Offset": String(offset),
        "Content-Type": "application/offset+octet-stream",
      },
      body: bytes,
      duplex: "half", // for bodies that are streams
    });
  }

  async offset(location) {
    const res = await fetch(location, { method: "HEAD", headers: { Authorization: `Bearer ${this.token}`, "Tus-Resumable": "1.0.0" } });
    assert.equal(res.status, 200, `HEAD upload: ${res.status}`);
    return Number(res.headers.get("upload-offset"));
  }

  /** Waits until the media is in one of the states, and fails early when it failed. */
  async waitFor(id, states, options) {
    return until(`media ${id} to be ${states}`, async () => {
      const m = await this.media(id);
      if (states.includes(m.state)) return m;
      assert.ok(m.state !== "failed", `media failed: ${JSON.stringify(m.failure)}`);
      return null;
    }, options);
  }
}
