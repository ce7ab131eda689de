import type { ExtrasChunk, Facade, MediaConfig, Mounted, PlayerChunk } from "./contract";
import { css, html } from "./facade-view";

declare const __CHUNKS__: { player: string; extras: string };

const sheet = new CSSStyleSheet();
sheet.replaceSync(css);

const at = (path: string): string => new URL(path, import.meta.url).href;
const nothing = (): void => {};
const { href } = location;
const nav = navigator as Navigator & { connection?: { downlink: number } };
/** In our own iframe the page is the one around it. */
const framed = href.startsWith(at("embed/"));
const extras = (): Promise<ExtrasChunk> => import(at(__CHUNKS__.extras));

/**
 * `<vitascope-player media-id="...">` shows a video's poster in a reserved box
 * and loads the player when it is wanted. It never throws into the page.
 * docs/player.md has all attributes, properties, methods and events.
 *
 * @attr media-id - the video. Changing it replaces the video.
 * @attr aspect - the box, as CSS writes it ("16/9", "1", "9/16"); default 16/9.
 *   A video of another shape is fitted inside: the box never moves.
 * @attr mode - "popover" opens the player in a dialog, "link" the same from the element's own text.
 * @attr autoplay - starts muted when in view, unless the viewer prefers reduced motion.
 * @attr preload - "auto" fetches the player when near the viewport; otherwise
 *   it is fetched when the pointer or the focus comes near.
 * @attr poster - an image URL instead of the video's own.
 * @attr token, viewer-token - what a protected video asks for.
 * @attr do-not-track - reports nothing: for previews by the video's owner.
 * @attr player-color - the accent colour, as CSS writes it.
 *
 * @fires api-ready - the video is known and can be played.
 *
 * @csspart box, poster, play-button, message
 * @cssprop --vitascope-accent, --vitascope-radius
 */
class VitascopePlayer extends HTMLElement {
  static observedAttributes = ["media-id"];

  /** What is known of the video, or null before it is. */
  config: MediaConfig | null = null;

  video_ = document.createElement("video");
  root_ = this.attachShadow({ mode: "open" });
  session_: Facade | null = null;

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
    return this.session_!.play();
  }

  /** Pauses. */
  pause(): void {
    this.video_.pause();
  }

  /** Resolves to the element when its whole API is there and its video known. */
  whenApiReady(): Promise<HTMLElement> {
    return extras().then((m) => m.ready(this.session_!));
  }

  stop_(): void {
    this.session_?.stop();
    this.session_ = this.config = null;
    this.video_ = document.createElement("video");
  }
}

// One stay of the element on the page. Everything it starts ends with stop_.
function start(host: VitascopePlayer, root: ShadowRoot, video: HTMLVideoElement): Facade {
  const attribute = (name: string): string | null => host.getAttribute(name);
  let resolve: () => void;
  let loading: string | null = null;
  let failures = 0;
  let mounted: Promise<Mounted> | null = null;

  root.adoptedStyleSheets = [sheet];
  root.innerHTML = html;
  const [box, img, button, , , line] = root.querySelectorAll("*") as unknown as
    [HTMLElement, HTMLImageElement, HTMLButtonElement, Element, Element, HTMLElement];
  const style = (name: string, from: string): void => {
    const value = attribute(from);
    if (value) host.style.setProperty(name, value);
  };
  style("--vitascope-accent", "player-color");
  style("aspect-ratio", "aspect");

  // After a failure the fragment makes it another module to the browser.
  const chunk = (): Promise<PlayerChunk> =>
    (self as { ManagedMediaSource?: unknown }).ManagedMediaSource ? extras() : import(at(__CHUNKS__.player) + "#" + failures);
  const preload = (): unknown => chunk().catch(() => failures++);

  const facade: Facade = {
    host, root, box, line, video, at,
    playable: new Promise((r) => (resolve = r)),
    asked: 0,
    autoplay: false,
    stopped: false,
    async play() {
      facade.asked ||= Date.now();
      load();
      await facade.playable;
      await (mounted ||= chunk().then((m) => m.mount(facade)).catch((err) => {
        mounted = null;
        failures++;
        line.textContent = "This video could not be loaded.";
        throw err;
      }));
      return video.play();
    },
    stop() {
      facade.stopped = true;
      near.disconnect();
      mounted?.then((m) => m.destroy(), nothing);
    },
    async load() {
      await special;
      const { credentials } = facade;
      const res = await fetch(at(`embed/medias/${attribute("media-id")}/config.json`),
        credentials && { method: "POST", body: JSON.stringify(credentials) },
      ).catch(() => null);
      const config = await res?.json().catch(() => 0);
      if (facade.stopped) return;
      if (res?.ok && config.hls_url) show(config);
      // Not there yet, not for everybody, or the server is away.
      else extras().then((m) => m.refuse(facade, config, res), () => setTimeout(facade.load, 3e3));
    },
  };

  const go = (): void => {
    box.className = "w";
    preload();
    // What playback at a rung that this connection carries starts with.
    if (!facade.asked) host.config?.start?.find((rung) => rung.bitrate < (nav.connection?.downlink || 2) * 6e5)?.urls.map((url) => fetch(url).catch(nothing));
    facade.play().catch(nothing);
  };

  const load = (): void => {
    loading ||= attribute("media-id") && (facade.load(), "1");
  };

  const show = (config: MediaConfig): void => {
    host.config = config;
    line.textContent = config.has_video ? "" : config.name;
    const poster = attribute("poster") || config.poster_url;
    if (poster) img.src = poster;
    button.hidden = false;
    button.ariaLabel = "Play: " + config.name;
    attribute("do-not-track") ?? report(host, config);
    resolve();
    host.dispatchEvent(new Event("api-ready"));
    if (attribute("preload") == "auto") preload();
    if (attribute("autoplay") != null && !facade.asked && !matchMedia("(prefers-reduced-motion:reduce)").matches) {
      video.muted = facade.autoplay = true;
      go();
    }
  };

  const near = new IntersectionObserver((entries) => {
    if (entries.at(-1)!.isIntersecting) load();
  }, { rootMargin: "300px" });
  near.observe(box);
  button.onclick = go;
  box.onpointerenter = button.onfocus = preload;
  const special = (framed || host.matches("[mode],[token],[viewer-token]") || "_vitascope" in self) && extras().then((m) => m.setUp(facade), nothing);

  return facade;
}

// The first batch of the view: the element was shown, on this page.
function report(host: HTMLElement, config: MediaConfig): void {
  const now = Date.now();
  const { referrer } = document;
  const page = {
    url: (framed && referrer) || href, referrer: framed ? "" : referrer, language: nav.language,
    player_width: host.clientWidth, player_height: host.clientHeight,
  };
  const body = JSON.stringify({
    v: 1, token: config.view_token, seq: 0, sent_at_ms: now, page, events: [{ k: "load", at_ms: now }],
  });
  // Sent again, the same bytes, after 1, 2, 4 ... seconds.
  const send = (ms: number): unknown => fetch(config.beacon_url, { method: "POST", body, keepalive: true })
    .then((res) => res.status > 428, () => 1)
    .then((again) => again && ms < 1e5 && setTimeout(send, ms, ms * 2));
  send(1e3);
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
