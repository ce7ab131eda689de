import { expect, test } from "vitest";
import type { Batch, BeaconEvent } from "../src/beacon/event";
import { Outbox, type Sent } from "../src/beacon/outbox";
import { decodeBatch } from "../src/beacon/validate";

const at = 1_790_000_000_000;
const pause = (pos: number): BeaconEvent => ({ k: "pause", at_ms: at, pos_ms: pos });
const page = {
  url: "https://example.com/", referrer: "", utm_source: "", utm_medium: "", utm_campaign: "",
  language: "en", player_width: 640, player_height: 360,
};

/** An outbox whose collector answers from a script and whose timers are fired by hand. */
function setup(answers: Sent[] = [], seq = 0) {
  const bodies: string[] = [];
  const sentAt: number[] = [];
  let clock = at;
  const last: string[] = [];
  let takes = true;
  const kept: { body: string; gone: boolean }[] = [];
  const timers: { ms: number; then: () => void }[] = [];
  const transport = {
    send: (body: string, when: number): Promise<Sent> => {
      bodies.push(body);
      sentAt.push(when);
      return Promise.resolve(answers.shift() ?? { ok: true });
    },
    last: (body: string): boolean => takes && last.push(body) > 0,
    leave: (body: string): (() => boolean) => {
      const one = { body, gone: false };
      kept.push(one);
      return () => {
        if (!one.gone) kept.splice(kept.indexOf(one), 1);
        return !one.gone;
      };
    },
  };
  const timing = {
    now: () => clock,
    random: () => 0.5,
    after: (ms: number, then: () => void) => {
      timers.push({ ms, then });
    },
  };
  const outbox = new Outbox(transport, timing, "token", seq, seq === 0 ? page : undefined);
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 4000; i++) await Promise.resolve();
  };
  const fire = async (): Promise<void> => {
    timers.shift()?.then();
    await settle();
  };
  const sent = (list = bodies): Batch[] => list.map((b) => decodeBatch(new TextEncoder().encode(b)));
  const refuseLast = (): void => void (takes = false);
  const wait = (ms: number): void => void (clock += ms);
  return { kept, sentAt, wait, refuseLast, outbox, bodies, last, timers, settle, fire, sent };
}

test("batches are numbered from 0 and only the first carries the page", async () => {
  const o = setup();
  o.outbox.add(pause(1));
  o.outbox.flush();
  o.outbox.add(pause(2));
  o.outbox.flush();
  await o.settle();
  expect(o.sent().map((b) => [b.seq, b.page?.url])).toEqual([[0, "https://example.com/"], [1, undefined]]);
});

test("nothing to say is no batch", async () => {
  const o = setup();
  o.outbox.flush();
  await o.settle();
  expect(o.bodies).toEqual([]);
});

test("a batch is sent again with the same bytes until it is taken, and later ones wait", async () => {
  const o = setup([{ ok: false, retry: true }, { ok: false, retry: true }]);
  o.outbox.add(pause(1));
  o.outbox.flush();
  await o.settle();
  o.outbox.add(pause(2));
  o.outbox.flush();
  await o.settle();
  expect(o.bodies).toHaveLength(1);
  await o.fire();
  await o.fire();
  expect(o.bodies[1]).toBe(o.bodies[0]);
  expect(o.bodies[2]).toBe(o.bodies[0]);
  expect(o.sent().map((b) => b.seq)).toEqual([0, 0, 0, 1]);
  expect(o.outbox.waiting).toBe(0);
});

test("the wait doubles, and Retry-After is a floor", async () => {
  const away: Sent = { ok: false, retry: true };
  const o = setup([away, away, { ...away, afterMs: 9000 }]);
  o.outbox.add(pause(1));
  o.outbox.flush();
  await o.settle();
  const waits: number[] = [];
  for (let i = 0; i < 3; i++) {
    waits.push(o.timers[0]?.ms ?? 0);
    await o.fire();
  }
  expect(waits).toEqual([750, 1500, 9000]);
});

test("what is refused for good is dropped and the next one goes", async () => {
  const o = setup([{ ok: false, retry: false }]);
  o.outbox.add(pause(1));
  o.outbox.flush();
  o.outbox.add(pause(2));
  o.outbox.flush();
  await o.settle();
  expect(o.sent().map((b) => b.seq)).toEqual([0, 1]);
  expect(o.outbox.waiting).toBe(0);
});

test("many events become batches within the limits", async () => {
  const o = setup();
  for (let i = 0; i < 450; i++) o.outbox.add(pause(i));
  o.outbox.flush();
  await o.settle();
  expect(o.sent().map((b) => b.events.length)).toEqual([200, 200, 50]);
});

test("long texts are split under 64 KiB", async () => {
  const o = setup();
  const message = "é".repeat(500);
  for (let i = 0; i < 100; i++) o.outbox.add({ k: "error", at_ms: at, code: "x", fatal: false, message });
  o.outbox.flush();
  await o.settle();
  expect(o.sent().flatMap((b) => b.events)).toHaveLength(100);
  expect(o.bodies.length).toBeGreaterThan(1);
});

test("as the page goes, everything waiting is handed to the browser, once", async () => {
  const o = setup([{ ok: false, retry: true }]);
  o.outbox.add(pause(1));
  o.outbox.flush();
  await o.settle();
  o.outbox.add(pause(2));
  o.outbox.flushLast();
  expect(o.sent(o.last).map((b) => b.seq)).toEqual([0, 1]);
  await o.fire();
  expect(o.bodies).toHaveLength(1);
});

test("what the browser will not take stays, and is sent if the page lives on", async () => {
  const o = setup([], 1);
  o.refuseLast();
  o.outbox.add(pause(1));
  o.outbox.flushLast();
  o.outbox.flush();
  await o.settle();
  expect(o.sent().map((b) => b.seq)).toEqual([1]);
});

test("once closed it takes nothing more, but what is left is still sent until it is taken", async () => {
  const o = setup([{ ok: false, retry: true }]);
  o.outbox.add(pause(1));
  o.outbox.close();
  o.outbox.add(pause(2));
  o.outbox.flush();
  await o.settle();
  await o.fire();
  expect(o.sent().map((b) => [b.seq, b.events.length])).toEqual([[0, 1], [0, 1]]);
  expect(o.outbox.waiting).toBe(0);
});

test("a long outage keeps a bounded number of batches, the newest", async () => {
  const o = setup([{ ok: false, retry: true }]);
  for (let i = 0; i < 1000; i++) {
    o.outbox.add(pause(i));
    o.outbox.flush();
    await Promise.resolve();
  }
  await o.settle();
  expect(o.outbox.waiting).toBe(360);
  await o.fire();
  expect(o.sent().at(-1)?.seq).toBe(999);
});

test("each try says when it leaves, while the bytes stay those of the packing", async () => {
  const o = setup([{ ok: false, retry: true }]);
  o.outbox.add(pause(1));
  o.outbox.flush();
  await o.settle();
  o.wait(60_000);
  await o.fire();
  expect(o.sentAt).toEqual([at, at + 60_000]);
  expect(o.sent().map((b) => b.sent_at_ms)).toEqual([at, at]);
});

test("an identity goes with every batch made after it is known", async () => {
  const o = setup();
  o.outbox.add(pause(1));
  o.outbox.flush();
  o.outbox.identify("signed");
  o.outbox.add(pause(2));
  o.outbox.flush();
  await o.settle();
  expect(o.sent().map((b) => b.viewer)).toEqual([undefined, "signed"]);
});

const watch = (from: number, to: number, rate = 1): BeaconEvent => ({ k: "watch", at_ms: at, from_ms: from, to_ms: to, rate, repeat: false });
const spans = (batches: Batch[]): number[][] => batches.flatMap((b) => b.events.map((e) => (e.k === "watch" ? [b.seq, e.from_ms, e.to_ms] : [b.seq])));

test("an interval that goes on becomes one with what it continues, in the same words only", async () => {
  const o = setup();
  for (const e of [watch(0, 500), watch(500, 1000), watch(1000, 1500, 2), watch(1500, 2000, 2), watch(2500, 3000, 2), pause(3000), watch(3000, 3500, 2)]) o.outbox.add(e);
  o.outbox.flush();
  await o.settle();
  expect(spans(o.sent())).toEqual([[0, 0, 1000], [0, 1000, 2000], [0, 2500, 3000], [0], [0, 3000, 3500]]);
});

test("the browser is left with one batch, the newest, until it is sent otherwise", async () => {
  const o = setup();
  o.outbox.leave();
  expect(o.kept).toEqual([]);
  o.outbox.add(watch(0, 500));
  o.outbox.leave();
  o.outbox.add(watch(500, 1000));
  o.outbox.leave();
  expect(spans(o.sent(o.kept.map((k) => k.body)))).toEqual([[0, 0, 1000]]);
  o.outbox.add(pause(1000));
  o.outbox.flush();
  await o.settle();
  expect(o.kept).toEqual([]);
  expect(spans(o.sent())).toEqual([[0, 0, 1000], [0]]);
});

test("what the browser has sent is not sent again, and what came since is in the next batch", async () => {
  const o = setup();
  o.outbox.add(pause(0));
  o.outbox.add(watch(0, 500));
  o.outbox.leave();
  const [left] = o.kept;
  if (left) left.gone = true;
  o.outbox.add(watch(500, 800));
  o.outbox.add(pause(800));
  o.outbox.flush();
  await o.settle();
  expect(spans(o.sent(o.kept.map((k) => k.body)))).toEqual([[0], [0, 0, 500]]);
  expect(spans(o.sent())).toEqual([[1, 500, 800], [1]]);
  expect(o.sent()[0]?.page).toBeUndefined();
});

test("as the page goes, its last word replaces what was left", () => {
  const o = setup();
  o.outbox.add(watch(0, 500));
  o.outbox.leave();
  o.outbox.add(watch(500, 700));
  o.outbox.flushLast();
  expect(o.kept).toEqual([]);
  expect(spans(o.sent(o.last))).toEqual([[0, 0, 700]]);
});

test("what is said as the viewer leaves says so, and no longer once the viewer is back", async () => {
  const o = setup();
  const said = (batches: Batch[]) => batches.map((b) => b.leaving);
  o.outbox.add(watch(0, 500));
  o.outbox.leave();
  expect(said(o.sent(o.kept.map((k) => k.body)))).toEqual([true]);
  o.outbox.flush();
  await o.settle();
  expect(said(o.sent())).toEqual([undefined]);
  o.outbox.add(watch(500, 700));
  o.outbox.flushLast();
  expect(said(o.sent(o.last))).toEqual([true]);
  o.outbox.add(watch(700, 710)); // the page is hidden a moment later
  o.outbox.flush();
  o.outbox.leaving = false;
  o.outbox.add(watch(710, 900));
  o.outbox.flush();
  o.outbox.add(pause(900));
  o.outbox.close();
  await o.settle();
  expect(said(o.sent())).toEqual([undefined, true, undefined, true]);
});

test("when the network is back nobody waits longer", async () => {
  const o = setup([{ ok: false, retry: true, afterMs: 30_000 }]);
  o.outbox.add(pause(1));
  o.outbox.flush();
  await o.settle();
  o.outbox.retry();
  await o.settle();
  expect(o.outbox.waiting).toBe(0);
  o.outbox.add(pause(2));
  o.outbox.flush();
  await o.settle();
  expect(o.sent().map((b) => b.seq)).toEqual([0, 0, 1]);
});

test("after an outage what waits goes several at once, and what fails of it again", async () => {
  const away: Sent = { ok: false, retry: true };
  const o = setup([away, { ok: true }, { ok: true }, away]);
  for (let i = 0; i < 4; i++) {
    o.outbox.add(pause(i));
    o.outbox.flush();
  }
  await o.settle();
  o.outbox.retry();
  await o.settle();
  expect(o.sent().map((b) => b.seq)).toEqual([0, 0, 1, 2, 3]);
  expect(o.outbox.waiting).toBe(1);
  await o.fire();
  await o.fire();
  expect(o.sent().slice(5).map((b) => b.seq)).toEqual([2]);
  expect(o.outbox.waiting).toBe(0);
});
