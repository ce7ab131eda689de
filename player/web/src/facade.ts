import type { MediaConfig, Mount, Mounted } from "./contract";
import { css, html } from "./facade-view";

declare const __PLAYER_CHUNK__: string;

const NEAR = "300px";
const POLL_MS = 3e3;

const sheet = new CSSStyleSheet();
sheet.replaceSync(css);

const at = (path: string): string => new URL(path, import.meta.url).href;

/**
 * `<vitascope-player media-id="...">` shows a video's poster in a reserved box
 * and loads the player when it is wanted. It never throws into the page.
 *
 * @attr media-id - the video. Changing it replaces the video.
 * @attr aspect - the box, as CSS writes it ("16/9", "1", "9/16"); default 16/9.
 *   A video of another shape is fitted inside: the box never moves.
 * @attr autoplay - starts muted when in view, unless the viewer prefers reduced motion.
 * @attr muted - starts muted.
 * @attr loop - starts again at the end.
 * @attr preload - "auto" fetches the player when near the viewport; otherwise
 *   it is fetched when the pointer or the focus comes near.
 * @attr poster - an image URL instead of the video's own.
 * @attr do-not-track - reports nothing: for previews by the video's owner.
 * @attr player-color - the accent colour, as CSS writes it.
 *
 * @prop currentTime, duration, paused, ended, muted, volume, playbackRate - as on HTMLMediaElement, seconds.
 * @prop config - what is known of the video, or null before it is.
 * @method play - starts or goes on; resolves when playback has begun.
 * @method pause
 *
 * @fires ready - the video is known and can be played.
 * @fires play, playing, pause, ended, waiting, timeupdate, durationchange,
 *   loadedmetadata, seeking, seeked, volumechange, ratechange, error - as on
 *   HTMLMediaElement; they do not bubble.
 *
 * @csspart box, poster, play-button, message
 * @cssprop --vitascope-accent - accent colour
 * @cssprop --vitascope-radius - corner radius of the box
 */
class VitascopePlayer extends HTMLElement {
  static observedAttributes = ["media-id"];

  /** What is known of the video, or null before it is. */
  config: MediaConfig | null = null;

  video_ = document.createElement("video");
  root_ = this.attachShadow({ mode: "open" });
  session_: Session | null = null;

  connectedCallback(): void {
    this.session_ ||= start(this, this.root_, this.video_);
  }

  disconnectedCallback(): void {
    // An element that is only moved comes back before the microtask runs.
    queueMicrotask(() => this.isConnected || this.stop_());
  }

  attributeChangedCallback(): void {
    if (this.session_) {
      this.stop_();
      this.connectedCallback();
    }
  }

  /** Starts or goes on; resolves when playback has begun. */
  async play(): Promise<void> {
    return this.session_!.play_();
  }

  /** Pauses. */
  pause(): void {
    this.video_.pause();
  }

  stop_(): void {
    this.session_?.stop_();
    this.session_ = this.config = null;
    this.video_ = document.createElement("video");
  }
}

interface Session {
  play_(): Promise<void>;
  stop_(): void;
}

// One stay of the element on the page. Everything it starts ends with stop_.
function start(host: VitascopePlayer, root: ShadowRoot, video: HTMLVideoElement): Session {
  const attribute = (name: string): string | null => host.getAttribute(name);
  const find = <E extends HTMLElement>(name: string): E => root.querySelector<E>(name)!;
  let resolve: () => void;
  const playable = new Promise<void>((r) => (resolve = r));
  let asked = 0;
  let autoplay = false;
  let stopped = false;
  let loading = false;
  let failures = 0;
  let mounted: Promise<Mounted> | null = null;

  root.adoptedStyleSheets = [sheet];
  root.innerHTML = html;
  const box = find("div");
  const button = find("button");
  const color = attribute("player-color");
  const aspect = attribute("aspect");
  if (color) host.style.setProperty("--vitascope-accent", color);
  if (aspect) host.style.aspectRatio = aspect;

  const say = (text: string, busy?: unknown): void => {
    find("p").textContent = text;
    box.classList.toggle("w", !!busy);
  };

  // After a failure the fragment makes it another module to the browser.
  const chunk = (): Promise<{ mount: Mount }> => import(at(__PLAYER_CHUNK__) + "#" + failures);
  const preload = (): unknown => chunk().catch(() => failures++);

  const play = async (): Promise<void> => {
    asked ||= Date.now();
    load();
    await playable;
    mounted ||= chunk().then(({ mount }) => mount({
      host, box, video, config: host.config!, askedAt: asked, autoplay, focus: root.activeElement == button,
    }));
    try {
      await mounted;
    } catch (err) {
      mounted = null;
      failures++;
      say("This video could not be loaded.");
      throw err;
    }
    return video.play();
  };

  const go = (): void => {
    box.classList.add("w");
    play().catch(() => {});
  };

  const load = (): void => {
    if (!loading && attribute("media-id")) void fetchConfig();
    loading = true;
  };

  const fetchConfig = async (): Promise<void> => {
    const res = await fetch(at(`embed/medias/${attribute("media-id")}/config.json`)).catch(() => null);
    const config = res?.ok && (await res.json().catch(() => 0)) as MediaConfig;
    if (stopped) return;
    const state = config && config.state;
    if (res?.status == 404) say("This video is not available.");
    else if (state == "failed") say("This video could not be processed.");
    else if (config && config.hls_url) show(config);
    else {
      // Not there yet, or the server is away.
      say(state ? "Still processing…" : "", 1);
      setTimeout(() => stopped || fetchConfig(), POLL_MS);
    }
  };

  const show = (config: MediaConfig): void => {
    host.config = config;
    say(config.has_video ? "" : config.name);
    const poster = attribute("poster") || config.poster_url;
    if (poster) find<HTMLImageElement>("img").src = poster;
    button.hidden = false;
    button.ariaLabel = "Play: " + config.name;
    if (attribute("do-not-track") == null) report(host, config);
    else config.beacon_url = "";
    resolve();
    host.dispatchEvent(new Event("ready"));
    if (attribute("preload") == "auto") preload();
    if (attribute("autoplay") != null && !asked && !matchMedia("(prefers-reduced-motion:reduce)").matches) {
      video.muted = autoplay = true;
      go();
    }
  };

  const near = new IntersectionObserver((entries) => {
    if (entries.some((e) => e.isIntersecting)) load();
  }, { rootMargin: NEAR });
  near.observe(box);
  button.onclick = go;
  box.onpointerenter = button.onfocus = preload;

  return {
    play_: play,
    stop_() {
      stopped = true;
      near.disconnect();
      mounted?.then((m) => m.destroy(), () => {});
    },
  };
}

// The first batch of the view: the element was shown, on this page.
function report(host: HTMLElement, config: MediaConfig): void {
  const now = Date.now();
  const { href, search } = location;
  const { referrer } = document;
  // In our own iframe the page is the one around it.
  const framed = href.startsWith(at("embed/"));
  const page: Record<string, unknown> = {
    url: (framed && referrer) || href, referrer: framed ? "" : referrer, language: navigator.language,
    player_width: host.clientWidth, player_height: host.clientHeight,
  };
  for (const name of ["utm_source", "utm_medium", "utm_campaign"]) page[name] = new URLSearchParams(search).get(name) || "";
  const body = JSON.stringify({
    v: 1, token: config.view_token, seq: 0, sent_at_ms: now, page, events: [{ k: "load", at_ms: now }],
  });
  // Sent again, the same bytes, after 1, 2, 4 ... seconds.
  const send = (n: number): unknown => fetch(config.beacon_url, { method: "POST", body, keepalive: true })
    .then((res) => res.status > 428, () => 1)
    .then((again) => again && n < 6 && setTimeout(send, 2 ** n * 1e3, n + 1));
  send(0);
}

for (const name of ["currentTime", "duration", "paused", "ended", "muted", "volume", "playbackRate"]  as const) {
  Object.defineProperty(VitascopePlayer.prototype, name, {
    get(this: VitascopePlayer) {
      const value = this.video_[name];
      return value !== value ? (this.config?.duration_seconds ?? value) : value;
    },
    set(this: VitascopePlayer, value: never) {
      (this.video_ as Record<typeof name, unknown>)[name] = value;
    },
  });
}

if (!customElements.get("vitascope-player")) customElements.define("vitascope-player", VitascopePlayer);
