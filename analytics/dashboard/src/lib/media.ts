// Facts about a media as the library shows them.

import type { Media } from "../api/client";
import { length, percent } from "./format";

/** Tone says how a state is coloured. */
export type Tone = "busy" | "good" | "bad";

/** stateLabel words a media's state for its chip. */
export function stateLabel(m: Pick<Media, "state" | "progress" | "uploaded_at">): string {
  switch (m.state) {
    case "uploading":
      return `Uploading ${percent(m.progress)}`;
    case "probing":
      return "Examining the file";
    case "playable":
      return `Playable – ${m.uploaded_at ? "ladder" : "uploading"} ${percent(m.progress)}`;
    case "ready":
      return "Ready";
    case "failed":
      return "Failed";
  }
}

/** stateTone returns the chip's colour. */
export function stateTone(m: Pick<Media, "state">): Tone {
  if (m.state === "failed") return "bad";
  return m.state === "ready" || m.state === "playable" ? "good" : "busy";
}

/** plays reports whether the media can be watched. */
export function plays(m: Pick<Media, "state">): boolean {
  return m.state === "playable" || m.state === "ready";
}

/** facts lists what is known of the picture and its length, in words. */
export function facts(m: Media): string[] {
  const out: string[] = [];
  if (m.duration_seconds > 0) out.push(length(m.duration_seconds));
  if (m.has_video && m.width > 0) out.push(`${m.width} × ${m.height}`);
  if (m.has_video && m.frame_rate > 0) out.push(`${Math.round(m.frame_rate * 100) / 100} fps`);
  if (plays(m) && !m.has_video && m.has_audio) out.push("sound only");
  if (plays(m) && m.has_video && !m.has_audio) out.push("no sound");
  return out;
}

/** Pages is the shape in which the list is cached. */
export interface Pages {
  pages: { items: Media[] | null; next_cursor?: string }[];
  pageParams: unknown[];
}

/**
 * merged puts a changed media in its place in the cached list, or first when it
 * is new and the list is not a search. An older copy never replaces a newer one.
 */
export function merged(list: Pages, m: Media, isSearch: boolean): Pages {
  let found = false;
  const pages = list.pages.map((page) => ({
    ...page,
    items: (page.items ?? []).map((old) => {
      if (old.id !== m.id) return old;
      found = true;
      return newer(old, m);
    }),
  }));
  const first = pages[0];
  if (!found && !isSearch && first) pages[0] = { ...first, items: [m, ...(first.items ?? [])] };
  return { ...list, pages };
}

/** newer returns the later of two copies of one media. */
export function newer(a: Media, b: Media): Media {
  return Date.parse(b.updated_at) < Date.parse(a.updated_at) ? a : b;
}

/** without drops a media from the cached list. */
export function without(list: Pages, id: string): Pages {
  return {
    ...list,
    pages: list.pages.map((page) => ({ ...page, items: (page.items ?? []).filter((m) => m.id !== id) })),
  };
}
