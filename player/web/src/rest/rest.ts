import type { Facade, MediaConfig } from "../contract";

/** How many are asked for, and reported, in one request; the server takes 20. */
const TOGETHER = 10;
/** Longer addresses are cut by the server, which takes 64 KiB at once. */
const LONGEST = 2048;

/**
 * Asks for the configs of all that nobody has come near to play: in one request. What
 * cannot be had in this way asks for itself, and hears why.
 */
export function ask(facades: Facade[]): void {
  const waiting = facades.filter((each) => !each.stopped && !each.loading);
  for (let i = 0; i < waiting.length; i += TOGETHER) askFor(waiting.slice(i, i + TOGETHER));
}

function askFor(some: Facade[]): void {
  const ids = some.map(({ host }) => encodeURIComponent(host.getAttribute("media-id") ?? ""));
  const answers = fetch(some[0]!.at(`embed/medias.json?ids=${ids.join()}`))
    .then((res) => res.json() as Promise<{ configs: (MediaConfig | null)[] }>);
  some.forEach((facade, i) => {
    const answer = answers.then(({ configs }) => configs[i] as MediaConfig);
    answer.catch(() => {}); // load does what is to be done then
    facade.load(false, answer);
  });
}

let shown: { facade: Facade; config: MediaConfig }[] = [];

/** Reports that the element was shown, on this page: the first batch of the view. */
export function report(facade: Facade): void {
  const { config } = facade.host;
  if (config && shown.push({ facade, config }) === 1) setTimeout(tell);
}

// Tells of all at once, when the page's layout is asked for only once.
function tell(): void {
  const batches = shown.map(({ facade, config }) => ({ to: config.beacon_url, batch: batch(facade, config) }));
  shown = [];
  for (let i = 0; i < batches.length; i += TOGETHER) {
    const some = batches.slice(i, i + TOGETHER).map((each) => each.batch);
    send(batches[i]!.to, JSON.stringify(some.length > 1 ? some : some[0]), 1e3);
  }
}

function batch({ host, at }: Facade, config: MediaConfig): object {
  const now = Date.now();
  const { referrer } = document;
  // In our own iframe the page is the one around it.
  const framed = parent !== self && location.href.startsWith(at("embed/"));
  return {
    v: 1, token: config.view_token, seq: 0, sent_at_ms: now, events: [{ k: "load", at_ms: now }],
    page: {
      url: ((framed && referrer) || location.href).slice(0, LONGEST), referrer: framed ? "" : referrer.slice(0, LONGEST), language: navigator.language,
      player_width: host.clientWidth, player_height: host.clientHeight,
    },
  };
}

// Sent again, the same bytes, after 1, 2, 4 ... seconds.
function send(url: string, body: string, ms: number): void {
  void fetch(url, { method: "POST", body, keepalive: true })
    .then((res) => res.status > 428, () => true)
    .then((again) => again && ms < 1e5 && setTimeout(send, ms, url, body, ms * 2));
}
