import type { ExtrasChunk, Facade, MediaConfig, Mounted, PlayerChunk, RestChunk } from "./contract";
import { css, html } from "./facade-view";

declare const __CHUNKS__: { player: string; extras: string; rest: string };

const sheet = new CSSStyleSheet();
sheet.replaceSync(css);

const at = (path: string): string => new URL(path, import.meta.url).href;
const nothing = (): undefined => {};
/** In our own iframe the page is the one around it. */
const framed = parent != self && location.href.startsWith(at("embed/"));
const extras = (): Promise<ExtrasChunk> => import(at(__CHUNKS__.extras));
// After a failure the fragment makes it another module to the browser.
const rest = (failures = 0): Promise<RestChunk> => import(at(__CHUNKS__.rest) + "#" + failures)
  .catch(() => new Promise((r) => setTimeout(r, 3e3 << failures)).then(() => rest(failures + 1)));

interface Stay extends Facade {
  img_: HTMLImageElement;
}

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

  declare root_: ShadowRoot;
  declare session_: Stay | null;

  // All of it here: fields would be one more function to compile.
  constructor() {
    super();
    this.config = this.session_ = null;
    (this.root_ = this.attachShadow({ mode: "open" })).adoptedStyleSheets = [sheet];
  }

  connectedCallback(): void {
    const style = (name: string, from: string): void => {
      const value = this.getAttribute(from);
      if (value) this.style.setProperty(name, value);
    };
    // Most have no attribute but the video's.
    const more = this.getAttributeNames().join() != "media-id";
    if (more) {
      style("--vitascope-accent", "player-color");
      style("aspect-ratio", "aspect");
    }
    // What the facade is too small for does not wait.
    if (framed || (more && this.matches("[mode],[token],[viewer-token],[autoplay]")) || "_vitascope" in self) {
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

  begin_(): Stay {
    return (this.session_ ||= start(this, this.root_));
  }

  stop_(): null {
    near.unobserve(this);
    this.session_?.stop();
    this.root_.adoptedStyleSheets = [sheet];
    return (this.session_ = this.config = null);
  }
}

// What is far away is an empty box: nothing is built or fetched for it. What comes
// near has its poster at once, and asks for the rest when somebody wants it or the
// page has long been at rest.
const near = new IntersectionObserver((entries) => {
  const resting = entries.flatMap(({ target, isIntersecting }) => {
    if (!isIntersecting) return [];
    near.unobserve(target);
    const facade = (target as VitascopePlayer).begin_();
    const id = target.getAttribute("media-id");
    if (facade.setUp || !id) return facade.load(), [];
    facade.img_.src = target.getAttribute("poster") || at(`embed/medias/${id}/poster.jpg`);
    return facade;
  });
  resting[0] && setTimeout(self.requestIdleCallback || setTimeout, 1e3, () => rest().then((m) => m.ask(resting)));
}, { rootMargin: "300px" });

// One stay of the element on the page. Everything it starts ends with stop.
function start(host: VitascopePlayer, root: ShadowRoot): Stay {
  const attribute = (name: string): string | null => host.getAttribute(name);
  let video: HTMLVideoElement;
  let resolve: () => void;
  let failures = 0;
  let mounted: Promise<Mounted> | null = null;

  root.innerHTML = html;
  const box = root.firstChild as HTMLElement;
  const img = box.firstChild as HTMLImageElement;
  const button = img.nextSibling as HTMLButtonElement;
  const chunk = (): Promise<PlayerChunk> =>
    (self as { ManagedMediaSource?: unknown }).ManagedMediaSource ? extras() : import(at(__CHUNKS__.player) + "#" + failures);
  const preload = (): unknown => chunk().catch(() => failures++);

  const facade: Stay = {
    host, root, box, at, img_: img,
    get line() {
      return box.querySelector("p")!;
    },
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
        facade.line.textContent = "This video did not load.";
        throw err;
      }));
      return facade.video.play();
    },
    stop() {
      facade.stopped = true;
      mounted?.then((m) => m.destroy(), nothing);
    },
    load(again, answer) {
      const id = attribute("media-id");
      if (!id || (facade.loading && !again)) return;
      facade.loading = true;
      // Not for everybody, not there yet, or the server is away.
      const ask = (): unknown => extras().then((m) => m.load(facade), () => setTimeout(ask, 3e3));
      if (again || facade.setUp) ask();
      else (answer || fetch(at(`embed/medias/${id}/config.json`)).then((res) => res.json())).then((config) => config.hls_url ? facade.show(config) : ask()).catch(ask);
    },
    show(config) {
      if (facade.stopped) return;
      host.config = config;
      attribute("do-not-track") ?? rest().then((m) => m.report(facade));
      facade.line.textContent = config.has_video ? "" : config.name;
      img.src ||= attribute("poster") || config.poster_url;
      button.hidden = false;
      button.ariaLabel = "Play: " + config.name;
      resolve();
      host.dispatchEvent(new Event("api-ready"));
      if (attribute("preload") == "auto") preload();
    },
    go() {
      box.className = "w";
      preload();
      // What playback at a rung that this connection carries starts with.
      facade.asked || facade.playable.then(() =>
        host.config?.start?.find((rung) => rung.bitrate < ((navigator as { connection?: { downlink: number } }).connection?.downlink || 2) * 3e5)?.urls.map((url) => fetch(url).catch(nothing)));
      facade.play().catch(nothing);
    },
  };

  button.onclick = facade.go;
  box.onpointerenter = button.onfocus = () => {
    facade.load();
    preload();
  };
  // There is none, or not for everybody.
  img.onerror = () => {
    img.onerror = null;
    img.src = host.config?.poster_url || "";
    facade.load();
  };
  return facade;
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
