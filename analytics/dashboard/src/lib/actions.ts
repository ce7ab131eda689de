// What a player asks of its viewers, as people set it and as the player reads it.

import type { PlayerAction } from "../api/client";
import { timecode } from "./timecode";

export const actionKinds: Record<PlayerAction["type"], { name: string; note: string }> = {
  cta: { name: "Call to action", note: "Words, a picture and a link over the video. Playback waits." },
  gate: { name: "Email gate", note: "Asks for an email address, once. Playback waits." },
  annotation: { name: "Annotation link", note: "A link in the corner for a while. Playback goes on." },
};

/** fresh is a new action of a kind, ready to be edited. */
export function fresh(type: PlayerAction["type"]): PlayerAction {
  switch (type) {
    case "gate":
      return { type, at: "start", text: "Enter your email to watch", button: "Watch", skippable: false, fields: [] };
    case "annotation":
      return { type, at: "time", at_seconds: 5, duration_seconds: 10, text: "", url: "", skippable: true };
    default:
      return { type, at: "end", text: "", button: "Find out more", url: "", skippable: true };
  }
}

/** when says in words at what moment an action is shown. */
export function when(action: Pick<PlayerAction, "at" | "at_seconds">): string {
  if (action.at === "start") return "Before the video";
  if (action.at === "end") return "At the end";
  return `At ${timecode(action.at_seconds ?? 0)}`;
}

/** problem says what an action lacks, or nothing. */
export function problem(action: PlayerAction, duration: number): string {
  if (!action.text.trim()) return "Write a text.";
  if (action.at === "time" && duration > 0 && (action.at_seconds ?? 0) >= duration) return "The moment is after the end of the video.";
  if (action.type === "annotation" && action.at === "end") return "An annotation is shown while the video plays.";
  if (action.url && !/^(https?:\/\/[^\s/]+|mailto:|tel:)/.test(action.url.trim())) return "Write the whole address, such as https://example.com/offer.";
  if (action.image_url && !/^https?:\/\/[^\s/]+/.test(action.image_url.trim())) return "Write the picture's whole address.";
  return "";
}

/** toPlayer turns an action into what the player reads, under an id of its own. */
export function toPlayer(action: PlayerAction, id: string): Record<string, unknown> {
  const { at, at_seconds, ...rest } = action;
  return { ...rest, id, at_seconds: at === "time" ? (at_seconds ?? 0) : at };
}

/** previewStart is where a preview begins to play, so that the action comes in a moment. */
export function previewStart(action: PlayerAction, duration: number): number {
  if (action.at === "end") return Math.max(0, duration - 1.5);
  return action.at === "time" ? Math.max(0, (action.at_seconds ?? 0) - 1) : 0;
}
