import type { Sent, Timing, Transport } from "../beacon/outbox";
import { now } from "./observe";

/** Sends batches to url as text/plain, which needs no preflight. */
export function httpTransport(url: string): Transport {
  return {
    async send(body: string, sentAtMS: number): Promise<Sent> {
      try {
        const res = await fetch(sentAt(url, sentAtMS), { method: "POST", body, keepalive: true, credentials: "omit" });
        if (res.ok) return { ok: true };
        if (res.status < 500 && res.status !== 429 && res.status !== 408) return { ok: false, retry: false };
        return { ok: false, retry: true, ...retryAfter(res) };
      } catch {
        return { ok: false, retry: true };
      }
    },
    last: (body, sentAtMS) => navigator.sendBeacon(sentAt(url, sentAtMS), body),
    ...("fetchLater" in window && { leave: (body, sentAtMS) => later(sentAt(url, sentAtMS), body) }),
  };
}

type FetchLater = (url: string, init: RequestInit) => { activated: boolean };

// https://fetch.spec.whatwg.org/#fetch-later: a browser that has it sends the request
// when the document is gone, whatever ended it.
function later(url: string, body: string): (() => boolean) | null {
  const stop = new AbortController();
  try {
    const sent = (window as unknown as { fetchLater: FetchLater })
      .fetchLater(url, { method: "POST", body, credentials: "omit", signal: stop.signal });
    return () => {
      stop.abort();
      return !sent.activated;
    };
  } catch {
    return null; // no room left, or the page's policy forbids it
  }
}

// A batch is sent again byte for byte: when it leaves is said beside it.
function sentAt(url: string, ms: number): string {
  return `${url}${url.includes("?") ? "&" : "?"}sent_at=${ms}`;
}

function retryAfter(res: Response): { afterMs?: number } {
  const seconds = Number(res.headers.get("Retry-After") ?? Number.NaN);
  return seconds > 0 ? { afterMs: Math.min(seconds, 600) * 1000 } : {};
}

/** The browser's clock, chance and timers. */
export const browserTiming: Timing = {
  now,
  random: Math.random,
  after: (ms, then) => void window.setTimeout(then, ms),
};
