import type { Facade, MediaConfig } from "../contract";

const AGAIN_MS = 3_000;

// Origins may know a link or a video that was just made a moment later than who made
// it: these answers are asked for again, twice.
const EARLY = new Set(["token-invalid", "unknown-media"]);
const EARLY_MS = 1_500;
const asked = new WeakMap<Facade, number>();

/** A config, or a problem document (RFC 9457). */
export type Answer = Partial<MediaConfig> & { type?: string; detail?: string };

/** Says why there is nothing to play, asks for a password, or waits until there is. */
export function explainRefusal(facade: Facade, answer: Answer | null, status: number): void {
  const { box, line, host } = facade;
  const type = answer?.type?.split("/").pop() ?? "";
  const state = answer?.state;
  // Processing, or the server is away.
  const wait = status < 400 ? state !== "failed" : status >= 500 || status === 408;
  box.className = wait ? "w" : "";
  const button = box.querySelector("button");
  if (button) button.hidden = true;
  if (wait) {
    line.textContent = state ? "Still processing…" : "";
    setTimeout(() => facade.stopped || facade.load(true), AGAIN_MS);
    return;
  }
  if (type === "password-required" || type === "password-wrong") {
    void import("./password").then((m) => m.askPassword(facade, type === "password-wrong"), () => say(line, "This video needs a password."));
    return;
  }
  if (type === "rate-limited") setTimeout(() => facade.stopped || facade.load(true), AGAIN_MS * 3);
  const times = asked.get(facade) ?? 0;
  if (EARLY.has(type) && times < 2) {
    asked.set(facade, times + 1);
    setTimeout(() => facade.stopped || facade.load(true), EARLY_MS * (times + 1));
  }
  say(line, state === "failed" ? "This video could not be processed." : (TEXTS[type] ?? answer?.detail ?? "This video is not available."));
  if (times > 0 && EARLY.has(type)) return; // it was told
  host.dispatchEvent(new CustomEvent("error", { detail: { code: type.replaceAll("-", "_") || "failed", message: answer?.detail ?? "", status } }));
}

const TEXTS: Record<string, string> = {
  "unknown-media": "This video is not available.",
  "token-required": "This video is for invited viewers. Open it from the page or link it was shared on.",
  "token-expired": "The permission to watch this video has expired. Reload the page, or ask for a new link.",
  "token-invalid": "The permission to watch this video is not valid. Ask for a new link.",
  "domain-not-allowed": "This video may not be shown on this site.",
  "rate-limited": "Too many requests. Trying again in a moment…",
};

function say(line: HTMLElement, text: string): void {
  line.textContent = text;
}
