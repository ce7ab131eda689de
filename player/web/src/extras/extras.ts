import { installAPI } from "../api/install";
import type { Facade, MediaConfig, Mounted } from "../contract";
import { answerQueue } from "./queue";
import { explainRefusal, type Answer } from "./refusal";

declare const __CHUNKS__: { native: string };

/** Modes of embedding that few elements use: what the facade is too small for. */
export async function setUp(facade: Facade): Promise<void> {
  const { host } = facade;
  const mode = host.getAttribute("mode");
  // An iframe's tokens are in its fragment, which is sent to nobody.
  const fragment = new URLSearchParams(framed(facade) || watched(facade) ? location.hash.slice(1) : "");
  for (const name of ["token", "viewer-token"]) {
    const value = fragment.get(name);
    if (value) host.setAttribute(name, value);
  }
  const token = host.getAttribute("token");
  const viewer = host.getAttribute("consent") === "granted" ? host.getAttribute("viewer-token") : null;
  if (token || viewer) facade.credentials = { token, viewer_token: viewer };
  if (mode === "popover" || mode === "link") (await import("../popover/popover")).popover(facade, mode);
  if (framed(facade)) (await import("../protocol/playerjs")).speak(facade);
  answerQueue(facade, ready);
}

const framed = ({ at }: Facade): boolean => parent !== self && location.href.startsWith(at("embed/"));
const watched = ({ at }: Facade): boolean => location.href.startsWith(at("watch/"));

/** Resolves to the element once it has the whole API and a config. */
export async function ready(facade: Facade): Promise<HTMLElement> {
  installAPI(facade);
  facade.load();
  await facade.playable;
  return facade.host;
}

/** Asks for the config, shows it or says why there is nothing to play. */
export async function load(facade: Facade): Promise<void> {
  await facade.setUp;
  const { credentials, host } = facade;
  const res = await fetch(facade.at(`embed/medias/${host.getAttribute("media-id")}/config.json`),
    credentials && { method: "POST", body: JSON.stringify(credentials) },
  ).catch(() => null);
  const answer = (await res?.json().catch(() => null)) as Answer | null;
  if (facade.stopped) return;
  if (!res?.ok || !answer?.hls_url) return explainRefusal(facade, answer, res?.status ?? 0);
  facade.show(answer as MediaConfig);
  if (!host.hasAttribute("autoplay") || facade.asked || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  facade.video.muted = facade.autoplay = true;
  facade.go();
}

/** The player for browsers that play HLS themselves, and well. */
export async function mount(facade: Facade): Promise<Mounted> {
  const chunk = (await import(facade.at(__CHUNKS__.native))) as { mount(f: Facade): Mounted };
  return chunk.mount(facade);
}
