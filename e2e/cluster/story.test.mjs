// The same story on real Kafka, ClickHouse, S3 and Postgres, with two processes of
// each role behind a proxy that takes turns between them. The variables that name
// the servers come from deploy/cluster.
import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";

import { API } from "../lib/api.mjs";
import { startBrowser } from "../lib/browser.mjs";
import { h264mp4 } from "../lib/media.mjs";
import { freePort, Server, tempDir } from "../lib/process.mjs";
import { startProxy } from "../lib/proxy.mjs";
import { story } from "../lib/scenario.mjs";

const roles = ["ingest", "api", "transcode", "player", "collect", "sink"];

async function apiToken(url, loginURL) {
  const signIn = await fetch(`${url}/v1/sessions`, {
    method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ login_token: loginURL.split("/").at(-1) }),
  });
  assert.equal(signIn.status, 201, await signIn.text());
  const res = await fetch(`${url}/v1/api-tokens`, {
    method: "POST", body: JSON.stringify({ name: "cluster test" }),
    headers: { "Content-Type": "application/json", Cookie: signIn.headers.get("set-cookie").split(";")[0] },
  });
  assert.equal(res.status, 201, await res.clone().text());
  return (await res.json()).token;
}

test("from upload to heatmap on a cluster", async (t) => {
  const engines = Object.fromEntries(Object.entries(process.env).filter(([k]) => k.startsWith("VITASCOPE_")));
  for (const key of ["CATALOG", "S3_ENDPOINT", "KAFKA_BROKERS", "CLICKHOUSE_URL", "SECRET"]) {
    assert.ok(engines[`VITASCOPE_${key}`], `VITASCOPE_${key} must name a real server: run this by make test-cluster`);
  }
  const dir = tempDir(t);
  const proxyPort = await freePort();
  const url = `http://127.0.0.1:${proxyPort}`;
  const processes = {}, targets = {};
  // Two of each role at once, on an empty catalog, topic list and warehouse.
  await Promise.all(roles.flatMap((role) => [1, 2].map(async (n) => {
    const server = await Server.start(t, {
      data: join(dir, `${role}-${n}`), port: await freePort(),
      args: ["--roles", role, "--public-url", url], env: engines,
    });
    (processes[role] ??= []).push(server);
    (targets[role] ??= []).push(server.url);
  })));
  const served = await startProxy(t, proxyPort, targets);

  const [first, second] = processes.api;
  const api = new API(url, await apiToken(url, first.loginURL));
  const [file, browser] = await Promise.all([h264mp4(dir, { seconds: 30 }), startBrowser(t)]);
  await story(t, { browser, loginURL: second.loginURL, api, file });
  for (const role of ["ingest", "api", "player", "collect"]) {
    for (const target of targets[role]) assert.ok(served[new URL(target).host] > 0, `${role} ${target} took part`);
  }
  for (const server of Object.values(processes).flat()) {
    assert.equal(await server.stop(), 0, `an ordered stop:\n${server.log.slice(-5).join("")}`);
  }
});
