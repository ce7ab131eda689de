import type { ExtrasChunk, Facade, MediaConfig, Mounted, PlayerChunk } from "./contract";
import { css, html } from "./facade-view";

declare const __CHUNKS__: { player: string; extras: string };

const sheet = new CSSStyleSheet();
sheet.replaceSync(css);

const at = (path: string): string => new URL(path, import.meta.url).href;
const nothing = (): undefined => {};
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
  declare config: MediaConfig | null;

  root_ = this.attachShadow({ mode: "open" });
  session_: Facade | null = this.stop_();

  connectedCallback(): void {
    const style = (name: string, from: string): void => {
      const value = this.getAttribute(from);
      if (value) this.style.setProperty(name, value);
    };
    style("--vitascope-accent", "player-color");
    style("aspect-ratio", "aspect");
    // What the facade is too small for does not wait.
    if (framed || this.matches("[mode],[token],[viewer-token]") || "_vitascope" in self) {
      const facade = this.begin_();
      facade.setUp ||= extras().then((m) => m.setUp(facade), nothing);
    }
    near.observe(this);
  }

  disconnectedCallback(): void {
    // An element that is only moved comes back before the microtask runs.
    queueMicrotask(() => this.isConnected || this.stop_());
  }

  attributeChangedCallback(): void {
    if (this.session_ && this.isConnected) {
      this.stop_();
      this.connectedCallback();
    }
  }

  /** Starts or goes on; resolves when playback has begun. */
  play(): Promise<void> {
    return this.begin_().play();
  }

  /** Pauses. */
  pause(): void {
    this.begin_().video.pause();
  }

  /** Resolves to the element when its whole API is there and its video known. */
  whenApiReady(): Promise<HTMLElement> {
    return extras().then((m) => m.ready(this.begin_()));
  }

  begin_(): Facade {
    return (this.session_ ||= start(this, this.root_));
  }

  stop_(): null {
    near.unobserve(this);
    this.session_?.stop();
    this.root_.adoptedStyleSheets = [sheet];
    return (this.session_ = this.config = null);
  }
}

// What is far away is an empty box: nothing is built or fetched for it.
const near = new IntersectionObserver((entries) => entries.map(({ target, isIntersecting }) => {
  if (!isIntersecting) return;
  near.unobserve(target);
  (target as VitascopePlayer).begin_().load();
}), { rootMargin: "300px" });

// One stay of the element on the page. Everything it starts ends with stop.
function start(host: VitascopePlayer, root: ShadowRoot): Facade {
  const attribute = (name: string): string | null => host.getAttribute(name);
  let video: HTMLVideoElement;
  let resolve: () => void;
  let loading: boolean;
  let failures = 0;
  let mounted: Promise<Mounted> | null = null;

  root.innerHTML = html;
  const [box, img, button, , , line] = root.querySelectorAll("*") as unknown as
    [HTMLElement, HTMLImageElement, HTMLButtonElement, Element, Element, HTMLElement];
  // After a failure the fragment makes it another module to the browser.
  const chunk = (): Promise<PlayerChunk> =>
    (self as { ManagedMediaSource?: unknown }).ManagedMediaSource ? extras() : import(at(__CHUNKS__.player) + "#" + failures);
  const preload = (): unknown => chunk().catch(() => failures++);

  const facade: Facade = {
    host, root, box, line, at,
    // Most embeds of a page are never played.
    get video() {
      return (video ||= document.createElement("video"));
    },
    playable: new Promise((r) => (resolve = r)),
    async play() {
      facade.asked ||= Date.now();
      facade.load();
      await facade.playable;
      await (mounted ||= chunk().then((m) => m.mount(facade)).catch((err) => {
        mounted = null;
        failures++;
        line.textContent = "This video did not load.";
        throw err;
      }));
      return facade.video.play();
    },
    stop() {
      facade.stopped = true;
      mounted?.then((m) => m.destroy(), nothing);
    },
    async load(again) {
      const id = attribute("media-id");
      if (!id || (loading && !again)) return;
      loading = true;
      await facade.setUp;
      const { credentials } = facade;
      const res = await fetch(at(`embed/medias/${id}/config.json`),
        credentials && { method: "POST", body: JSON.stringify(credentials) },
      ).catch(nothing);
      const config = await res?.json().catch(nothing);
      if (facade.stopped) return;
      if (res?.ok && config.hls_url) show(config);
      // Not there yet, not for everybody, or the server is away.
      else extras().then((m) => m.refuse(facade, config, res), () => setTimeout(facade.load, 3e3, 1));
    },
  };

  const go = (): void => {
    box.className = "w";
    preload();
    // What playback at a rung that this connection carries starts with.
    if (!facade.asked) host.config?.start?.find((rung) => rung.bitrate < (nav.connection?.downlink || 2) * 3e5)?.urls.map((url) => fetch(url).catch(nothing));
    facade.play().catch(nothing);
  };

  const show = (config: MediaConfig): void => {
    host.config = config;
    // First: it measures the box, which costs a layout once that has changed.
    attribute("do-not-track") ?? report(host, config);
    line.textContent = config.has_video ? "" : config.name;
    const poster = attribute("poster") || config.poster_url;
    if (poster) img.src = poster;
    button.hidden = false;
    button.ariaLabel = "Play: " + config.name;
    resolve();
    host.dispatchEvent(new Event("api-ready"));
    if (attribute("preload") == "auto") preload();
    if (attribute("autoplay") != null && !facade.asked && !matchMedia("(prefers-reduced-motion:reduce)").matches) {
      facade.video.muted = facade.autoplay = true;
      go();
    }
  };

  button.onclick = go;
  box.onpointerenter = button.onfocus = preload;
  return facade;
}

// The first batch of the view: the element was shown, on this page.
function report(host: HTMLElement, config: MediaConfig): void {
  const now = Date.now();
  const { referrer } = document;
  const body = JSON.stringify({
    v: 1, token: config.view_token, seq: 0, sent_at_ms: now, events: [{ k: "load", at_ms: now }],
    page: {
      url: (framed && referrer) || href, referrer: framed ? "" : referrer, language: nav.language,
      player_width: host.clientWidth, player_height: host.clientHeight,
    },
  });
  // Sent again, the same bytes, after 1, 2, 4 ... seconds.
  const send = (ms: number): unknown => fetch(config.beacon_url, { method: "POST", body, keepalive: true })
    .then((res) => res.status > 428, () => 1)
    .then((again) => again && ms < 1e5 && setTimeout(send, ms, ms * 2));
  send(1e3);
}

for (const name of ["currentTime", "duration", "paused", "ended", "muted", "volume", "playbackRate"] as const) {
  Object.defineProperty(VitascopePlayer.prototype, name, {
    get(this: VitascopePlayer) {
      const value = this.begin_().video[name];
      return value !== value ? (this.config?.duration_seconds ?? value) : value;
    },
    set(this: VitascopePlayer, value: never) {
      (this.begin_().video as Record<typeof name, unknown>)[name] = value;
    },
  });
}

if (!customElements.get("vitascope-player")) customElements.define("vitascope-player", VitascopePlayer);
