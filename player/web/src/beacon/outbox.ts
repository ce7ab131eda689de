import { MAX_BYTES, MAX_EVENTS, type Batch, type BeaconEvent, type Page, type WatchEvent } from "./event";

/** What became of one sending. */
export type Sent =
  /** The collector has it. */
  | { ok: true }
  /** Try again with the same bytes, not before `afterMs` when it says so. */
  | { ok: false; retry: true; afterMs?: number }
  /** It will never be taken. */
  | { ok: false; retry: false };

/** How batches leave. */
export interface Transport {
  /**
   * Sends one body and tells what became of it; never rejects. sentAtMS is now,
   * which the body cannot say: it is the same at each try.
   */
  send(body: string, sentAtMS: number): Promise<Sent>;
  /** Hands one body to the browser as the page goes; false when it would not take it. */
  last(body: string, sentAtMS: number): boolean;
  /**
   * Leaves one body with the browser, which sends it once the page is gone, even if
   * the page had no time for a last word. Returns how to take it back, which tells
   * whether that was in time; null when the browser does not do this now. Missing
   * when it never does.
   */
  leave?(body: string, sentAtMS: number): (() => boolean) | null;
}

/** What is left with the browser: the first of the events, the last of them told up to a position. */
interface Left { takeBack: () => boolean; events: number; to: number }

/** Time and chance, passed in so that tests own them. */
export interface Timing {
  now(): number;
  random(): number;
  after(ms: number, then: () => void): void;
}

/** Batches kept while the collector is away; the oldest go first beyond it. */
const MAX_WAITING = 360;
/** Requests under way when several batches wait. */
const AT_ONCE = 4;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;

/**
 * Numbers the batches of one view from `seq` on and sends them, a few at a
 * time, until each is taken: a resend repeats number and bytes.
 */
export class Outbox {
  readonly #transport: Transport;
  readonly #timing: Timing;
  readonly #token: string;
  #seq: number;
  #page: Page | undefined;
  #viewer = "";
  #events: BeaconEvent[] = [];
  #waiting: string[] = [];
  /** So many of the first that wait are on their way. */
  #inFlight = 0;
  #tries = 0;
  /** Waiting before the next try. */
  #resting = false;
  #closed = false;
  /** The viewer is going, or gone: said in each batch packed from now on. */
  leaving = false;
  #left: Left | null = null;

  constructor(transport: Transport, timing: Timing, token: string, seq = 0, page?: Page) {
    this.#transport = transport;
    this.#timing = timing;
    this.#token = token;
    this.#seq = seq;
    this.#page = page;
  }

  /** Batches made and not yet taken. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Puts a signed identity into every batch made from now on. */
  identify(viewerToken: string): void {
    this.#viewer = viewerToken;
  }

  /** Keeps an event for the next batch. An interval that goes on where the last event ended becomes one with it. */
  add(event: BeaconEvent): void {
    if (this.#closed) return;
    const before = this.#events.at(-1);
    if (before?.k === "watch" && event.k === "watch" && goesOn(before, event)) {
      this.#events[this.#events.length - 1] = { ...event, from_ms: before.from_ms };
    } else this.#events.push(event);
    if (this.#events.length >= MAX_EVENTS) this.flush();
  }

  /**
   * Leaves what was added since the last flush with the browser, in case the page ends
   * without a last word. What was left before is replaced.
   */
  leave(): void {
    const { leave } = this.#transport;
    if (!leave) return;
    this.#takeBack();
    const last = this.#events.at(-1);
    if (!last) return;
    const body = this.#encode(this.#events, true);
    if (byteLength(body) > MAX_BYTES) return;
    const takeBack = leave(body, this.#now());
    if (takeBack) this.#left = { takeBack, events: this.#events.length, to: last.k === "watch" ? last.to_ms : 0 };
  }

  /** The network is back: what waits for its next try goes now. */
  retry(): void {
    if (!this.#resting) return;
    this.#resting = false;
    this.#tries = 0;
    void this.#pump();
  }

  /** Sends what was added since the last flush, and what is overdue. */
  flush(): void {
    this.#pack();
    if (!this.#resting) void this.#pump();
  }

  /**
   * The page may be gone in a moment: hands everything to the browser. What
   * it will not take stays, and is sent if the page lives on.
   */
  flushLast(): void {
    this.leaving = true;
    this.#pack();
    const rest = this.#waiting.slice(this.#inFlight);
    this.#waiting = [...this.#waiting.slice(0, this.#inFlight), ...rest.filter((body) => !this.#transport.last(body, this.#now()))];
  }

  /** The viewer is gone. Takes nothing more; what is left is still sent, for as long as the page lives. */
  close(): void {
    this.leaving = true;
    this.flush();
    this.#closed = true;
  }

  // Takes back what was left with the browser. If that has gone, its number is used,
  // and what was added since is for the next batch.
  #takeBack(): void {
    const left = this.#left;
    this.#left = null;
    if (!left || left.takeBack()) return;
    this.#seq++;
    this.#page = undefined;
    const last = this.#events.splice(0, left.events).at(-1);
    if (last?.k === "watch" && last.to_ms > left.to) this.#events.unshift({ ...last, from_ms: left.to });
  }

  #pack(): void {
    this.#takeBack();
    while (this.#events.length > 0) {
      const events = this.#events.splice(0, MAX_EVENTS);
      let body = this.#encode(events);
      while (byteLength(body) > MAX_BYTES && events.length > 1) {
        this.#events.unshift(...events.splice(Math.ceil(events.length / 2)));
        body = this.#encode(events);
      }
      this.#seq++;
      this.#page = undefined;
      this.#waiting.push(body);
    }
    const over = this.#waiting.length - MAX_WAITING;
    if (over > 0) this.#waiting.splice(this.#inFlight, over);
  }

  #encode(events: BeaconEvent[], leaving = this.leaving): string {
    const batch: Batch = {
      v: 1, token: this.#token, seq: this.#seq, sent_at_ms: this.#now(),
      ...(this.#viewer ? { viewer: this.#viewer } : {}), ...(leaving ? { leaving } : {}),
      ...(this.#page ? { page: this.#page } : {}), events,
    };
    return JSON.stringify(batch);
  }

  #now(): number {
    return Math.round(this.#timing.now());
  }

  async #pump(): Promise<void> {
    if (this.#inFlight > 0) return;
    // One to see whether the collector is there, then several.
    for (let atOnce = 1; this.#waiting.length > 0; atOnce = AT_ONCE) {
      const going = this.#waiting.slice(0, atOnce);
      this.#inFlight = going.length;
      const fates = await Promise.all(going.map((body) => this.#transport.send(body, this.#now())));
      this.#inFlight = 0;
      const again = going.filter((_, i) => needsRetry(fates[i]));
      this.#waiting.splice(0, going.length, ...again);
      if (again.length > 0) {
        this.#retryLater(Math.max(...fates.filter(needsRetry).map((fate) => fate.afterMs ?? 0)));
        return;
      }
      this.#tries = 0;
    }
  }

  #retryLater(afterMs: number): void {
    const backoff = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#tries++);
    // Half fixed, half chance: players of a busy page do not come back together.
    const wait = Math.max(afterMs, backoff * (0.5 + this.#timing.random() / 2));
    this.#resting = true;
    this.#timing.after(wait, () => {
      this.#resting = false;
      void this.#pump();
    });
  }
}

type Again = Extract<Sent, { retry: true }>;

function needsRetry(fate: Sent | undefined): fate is Again {
  return !!fate && !fate.ok && fate.retry;
}

// goesOn reports whether an interval continues another, told of in the same words.
function goesOn(before: WatchEvent, { from_ms, rate, repeat, muted, fullscreen, hidden }: WatchEvent): boolean {
  return before.to_ms === from_ms && before.rate === rate && before.repeat === repeat &&
    before.muted === muted && before.fullscreen === fullscreen && before.hidden === hidden;
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
