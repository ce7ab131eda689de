import type { Facade } from "../contract";

/**
 * The player.js protocol (Embedly's SPEC.rst, 0.0.11): the page around our
 * iframe drives the player by messages. Only the parent is answered.
 */

const VERSION = "0.0.11";
const METHODS = [
  "play", "pause", "getPaused", "mute", "unmute", "getMuted", "setVolume", "getVolume", "getDuration",
  "setCurrentTime", "getCurrentTime", "setLoop", "getLoop", "removeEventListener", "addEventListener",
];
const EVENTS = ["ready", "play", "pause", "ended", "timeupdate", "progress", "seeked", "error"];

interface Message {
  context?: string;
  method?: string;
  value?: unknown;
  listener?: string;
}

type Media = HTMLElement & Pick<HTMLVideoElement, "currentTime" | "duration" | "paused" | "muted" | "volume"> & {
  play(): Promise<void>;
  pause(): void;
};

/** Answers the page around us for as long as the element stays. */
export function speak(facade: Facade): void {
  const host = facade.host as Facade["host"] & Media;
  const listeners = new Map<string, Set<string | undefined>>();
  let origin = "*";
  let isReady = false;

  const send = (event: string, value?: unknown, listener?: string): void => {
    if (facade.stopped) return;
    const message = { context: "player.js", version: VERSION, event, ...(value !== undefined && { value }), ...(listener && { listener }) };
    parent.postMessage(JSON.stringify(message), origin);
  };
  const emit = (event: string, value?: unknown): void => listeners.get(event)?.forEach((listener) => send(event, value, listener));
  const ready = (): void => {
    isReady = true;
    // The address without its fragment, which may hold a token.
    const value = { src: location.href.split("#")[0], events: EVENTS, methods: METHODS };
    if (listeners.has("ready")) emit("ready", value);
    else send("ready", value);
  };

  const get: Record<string, () => unknown> = {
    getPaused: () => host.paused, getMuted: () => host.muted, getDuration: () => host.duration,
    // Per cent, as the specification has it.
    getVolume: () => host.volume * 100, getCurrentTime: () => host.currentTime, getLoop: () => facade.video.loop,
  };
  const act: Record<string, (value: unknown) => void> = {
    play: () => void host.play().catch(() => {}),
    pause: () => host.pause(),
    mute: () => void (host.muted = true),
    unmute: () => void (host.muted = false),
    setVolume: (value) => void (host.volume = Math.min(1, Math.max(0, Number(value) / 100))),
    setCurrentTime: (value) => void (Number.isFinite(Number(value)) && (host.currentTime = Number(value))),
    setLoop: (value) => void (facade.video.loop = !!value),
  };

  const receive = (event: MessageEvent): void => {
    if (facade.stopped) return window.removeEventListener("message", receive);
    if (event.source !== parent) return;
    const message = parse(event.data);
    if (message?.context !== "player.js" || typeof message.method !== "string") return;
    origin = event.origin === "null" ? "*" : event.origin;
    const { method, value, listener } = message;
    if (method === "addEventListener" && typeof value === "string") {
      if (!EVENTS.includes(value)) return;
      listeners.set(value, (listeners.get(value) ?? new Set()).add(listener));
      if (value === "ready" && isReady) ready();
    } else if (method === "removeEventListener" && typeof value === "string") {
      listeners.get(value)?.delete(listener);
      if (!listeners.get(value)?.size) listeners.delete(value);
    } else if (Object.hasOwn(get, method)) {
      send(method, get[method]!(), listener);
    } else if (Object.hasOwn(act, method)) {
      act[method]!(value);
    } else {
      emit("error", { code: 2, msg: `Invalid Method "${method.slice(0, 64)}"` });
    }
  };
  window.addEventListener("message", receive);

  for (const type of ["play", "pause", "ended", "seeked"]) host.addEventListener(type, () => emit(type));
  host.addEventListener("timeupdate", () => emit("timeupdate", { seconds: host.currentTime, duration: host.duration }));
  host.addEventListener("error", (event) => emit("error", { code: 1, msg: String((event as unknown as CustomEvent<{ code?: string } | undefined>).detail?.code ?? "error") }));
  facade.video.addEventListener("progress", () => {
    const { buffered, duration } = facade.video;
    if (buffered.length > 0 && duration > 0) emit("progress", { percent: buffered.end(buffered.length - 1) / duration });
  });
  facade.load();
  void facade.playable.then(ready);
}

function parse(data: unknown): Message | null {
  try {
    const value: unknown = typeof data === "string" ? JSON.parse(data) : data;
    return typeof value === "object" ? (value as Message | null) : null;
  } catch {
    return null;
  }
}
