// What a marketer asks of viewers: set in the dashboard, met on another site, answered,
// listed, told to a webhook; and a test of two calls to action that counts.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import test from "node:test";

import { API, until } from "../lib/api.mjs";
import { assertAccessible } from "../lib/axe.mjs";
import { hostSite, openPage, startBrowser } from "../lib/browser.mjs";
import { h264mp4 } from "../lib/media.mjs";
import { freePort, Server, tempDir } from "../lib/process.mjs";
import { uploadThroughPage } from "../lib/scenario.mjs";

/** An endpoint that keeps what it is sent. */
async function receiver(t) {
  const came = [];
  const server = createServer((req, res) => {
    let body = "";
    req.on("data", (d) => (body += d)).on("end", () => {
      came.push({ headers: req.headers, body });
      res.writeHead(204).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${server.address().port}/hook`, came };
}

/** Checks a signature as Standard Webhooks writes it. */
function signed({ headers, body }, secret) {
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const mac = createHmac("sha256", key).update(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`).digest("base64");
  return headers["webhook-signature"].split(" ").includes(`v1,${mac}`);
}

const claims = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
const hostile = `<img src=x onerror="document.title='hit'">`;

test("a gate is set in the dashboard, answered elsewhere, listed, told and erased; two calls to action are compared", async (t) => {
  const dir = tempDir(t);
  const data = join(dir, "data");
  const [file, server, browser, hook] = await Promise.all([
    h264mp4(dir, { seconds: 12 }),
    Server.start(t, { data, port: await freePort(), args: ["--outbound-allow=127.0.0.0/8"] }),
    startBrowser(t),
    receiver(t),
  ]);
  const api = API.ofDataFolder(server.url, data);
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const dashboard = await openPage(context);
  const id = await uploadThroughPage(dashboard, server.loginURL, file);
  const look = async (name) => {
    await assertAccessible(dashboard, name);
    if (!process.env.SHOTS_DIR) return;
    for (const [theme, width] of [["light", 1280], ["dark", 1280], ["light", 390]]) {
      await dashboard.setViewportSize({ width, height: 900 });
      await dashboard.evaluate((to) => (document.documentElement.dataset.theme = to), theme);
      await dashboard.screenshot({ path: join(process.env.SHOTS_DIR, `${name}-${theme}-${width}.png`), fullPage: true });
    }
    await dashboard.setViewportSize({ width: 1280, height: 900 });
  };

  await dashboard.goto(`${server.url}/#/settings`);
  await dashboard.getByLabel("Address of a new endpoint").fill(hook.url);
  await dashboard.getByRole("button", { name: "Add endpoint" }).click();
  const secret = await until("the secret", () => dashboard.getByTestId("webhook-secret").inputValue());
  await dashboard.getByRole("button", { name: "Send test" }).click();
  const testMessage = await until("the test message", () => hook.came.find((m) => m.body.includes("webhook.test")));
  assert.ok(signed(testMessage, secret));
  await dashboard.getByTestId("webhook-log").getByText(/^Delivered/).first().waitFor();
  await look("webhooks");

  await dashboard.goto(`${server.url}/#/media/${id}`);
  await dashboard.getByRole("tab", { name: "Marketing" }).click();
  await dashboard.getByRole("button", { name: "Email gate" }).click();
  const form = dashboard.getByTestId("action-form");
  await form.getByLabel("Headline").fill(hostile);
  await form.getByLabel("Name", { exact: true }).check();
  await form.getByLabel("Consent").fill("News by mail");
  // The preview is the player itself, with what is being written.
  await form.getByTestId("action-preview").getByRole("heading", { name: hostile }).waitFor({ timeout: 60_000 });
  await look("gate");
  await form.getByRole("button", { name: "Save" }).click();
  await dashboard.getByTestId("actions-list").getByText(hostile).waitFor();
  await until("the origin to know of it", async () => (await (await fetch(`${server.url}/embed/medias/${id}/config.json`)).json()).player?.actions?.length === 1);

  const codes = await api.call("GET", `/v1/media/${id}/embed-codes`);
  const viewer = await openPage(await browser.newContext());
  const addresses = [];
  viewer.on("request", (r) => addresses.push(r.url()));
  await viewer.goto((await hostSite(t, codes.inline)).url);
  await viewer.getByRole("button", { name: /^Play/ }).click();
  await viewer.getByLabel("Email").fill("ann@example.com", { timeout: 60_000 });
  await viewer.getByLabel("First name").fill(`Ann ${hostile}`);
  await viewer.getByRole("button", { name: "Watch" }).click();
  await viewer.getByText("Agree to go on.").waitFor();
  await viewer.getByLabel("News by mail").check();
  await viewer.getByRole("button", { name: "Watch" }).click();
  await viewer.getByLabel("Email").waitFor({ state: "detached" });
  assert.ok(!addresses.some((a) => a.includes("example.com") && a.includes("ann")), "the address is in no address");
  assert.notEqual(await viewer.title(), "hit");

  const told = await until("the webhook to hear of the lead", () => hook.came.find((m) => m.body.includes("lead.captured")));
  assert.ok(signed(told, secret));
  assert.equal(JSON.parse(told.body).data.email, "ann@example.com");

  await until("the gate's figures", async () => {
    const { items } = await api.call("GET", `/v1/stats/actions?media=${id}`);
    const gate = items.find((i) => i.type === "gate");
    return gate?.impressions === 1 && gate.conversions === 1 && gate.rate === 1;
  });
  await dashboard.goto(`${server.url}/#/leads`);
  await dashboard.getByTestId("leads").getByText("ann@example.com").waitFor();
  await dashboard.getByTestId("leads").getByText(`Ann ${hostile}`).waitFor();
  assert.notEqual(await dashboard.title(), "hit");
  await look("leads");
  await dashboard.getByRole("button", { name: "Erase ann@example.com" }).click();
  await dashboard.getByRole("button", { name: "Erase this address" }).waitFor();
  await look("erase");
  await dashboard.getByRole("button", { name: "Erase this address" }).click();
  await dashboard.getByText("No leads yet").waitFor();
  assert.equal((await api.call("GET", "/v1/leads")).items.length, 0);

  await t.test("a test of two calls to action counts each arm, and the winner is applied", async () => {
    const offer = { id: "offer", type: "cta", at: "start", text: "Buy", url: "https://example.com/buy", button: "Buy now", skippable: true };
    await api.call("PUT", `/v1/media/${id}/actions`, { items: [offer] });
    const experiment = await api.call("POST", "/v1/experiments", {
      media_id: id, name: "Words", kind: "cta", goal: "conversions", planned_visitors: 100, variations: [{ name: "Softer", action: { ...offer, text: "Try it" } }],
    });
    const arms = {};
    await until("both arms", async () => {
      for (let i = 0; i < 40; i++) {
        const agent = { "User-Agent": `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/${100 + i}.0.0.0 Safari/537.36` };
        const config = await (await fetch(`${server.url}/embed/medias/${id}/config.json`, { headers: agent })).json();
        const again = await (await fetch(`${server.url}/embed/medias/${id}/config.json`, { headers: agent })).json();
        assert.ok([config, again].every(({ view_token }) => claims(view_token).var), "the origin knows of the test");
        assert.equal(again.player.actions[0].text, config.player.actions[0].text, "the same viewer, the same arm");
        (arms[config.player.actions[0].text] ??= []).push({ agent, config });
      }
      return arms.Buy && arms["Try it"];
    });
    const now = Date.now();
    for (const [text, viewers] of Object.entries(arms)) {
      const { agent, config } = viewers[0];
      const body = JSON.stringify({ v: 1, token: config.view_token, seq: 0, sent_at_ms: now, page: { url: "https://shop.example/" }, events: [
        { k: "load", at_ms: now }, { k: "play", at_ms: now, pos_ms: 0 }, { k: "action", at_ms: now, pos_ms: 0, type: "cta", id: "offer", verb: "impression" },
        ...(text === "Try it" ? [{ k: "action", at_ms: now, pos_ms: 0, type: "cta", id: "offer", verb: "click" }] : []),
      ] });
      assert.equal((await fetch(config.beacon_url, { method: "POST", body, headers: { ...agent, "Content-Type": "text/plain" } })).status, 204);
    }
    const report = await until("the report", async () => {
      const r = await api.call("GET", `/v1/stats/experiments/${experiment.id}`);
      return r.arms.every((a) => a.visitors === 1) && r;
    });
    assert.deepEqual(report.arms.map((a) => [a.key, a.players, a.actors, a.rate]), [["a", 1, 0, 0], ["b", 1, 1, 1]]);
    assert.equal(report.winner, "", "two visitors are luck");
    assert.match(report.sentence, /No winner yet/);
    await dashboard.goto(`${server.url}/#/media/${id}`);
    await dashboard.getByRole("tab", { name: "Marketing" }).click();
    const card = dashboard.getByTestId("experiment");
    await card.getByText(/No winner yet/).waitFor();
    await look("experiment");
    await card.getByRole("button", { name: "End the test…" }).click();
    await card.getByLabel("From now on everybody sees").selectOption("b");
    await look("end-of-test");
    await card.getByRole("button", { name: "End the test" }).click();
    await card.getByText("was applied").waitFor();
    await dashboard.getByTestId("actions-list").getByText("Try it").waitFor();
  });
  assert.deepEqual(dashboard.problems, []);
});
