import { describe, expect, it } from "vitest";

import type { Media } from "../api/client";
import { facts, merged, stateLabel, stateTone, without } from "./media";

function media(over: Partial<Media>): Media {
  return {
    id: "a", name: "A", state: "ready", progress: 1, uploaded_bytes: 1, size_bytes: 1,
    duration_seconds: 61, width: 1920, height: 1080, frame_rate: 29.97, has_video: true, has_audio: true,
    renditions: [], watch_url: "", embed_url: "", hls_url: "", embed_code: "", iframe_code: "",
    analytics_url: "", visibility: "public", uploaded_at: null, playable_at: null, ready_at: null, playable_seconds_after_upload: null,
    ready_seconds_after_upload: null, poster_url: "", storyboard_url: "", preview_url: "", created_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z", ...over,
  };
}

describe("media", () => {
  it("words every state", () => {
    const words = (["uploading", "probing", "playable", "ready", "failed"] as const).map((state) =>
      [stateLabel({ state, progress: 0.4, uploaded_at: "2026-01-01T00:00:00Z" }), stateTone({ state })].join("/"),
    );
    expect(words).toEqual([
      "Uploading 40 %/busy", "Examining the file/busy", "Playable – ladder 40 %/good", "Ready/good", "Failed/bad",
    ]);
    expect(stateLabel({ state: "playable", progress: 0.4, uploaded_at: null })).toBe("Playable – uploading 40 %");
  });

  it("lists what is known and nothing else", () => {
    expect(facts(media({}))).toEqual(["1:01", "1920 × 1080", "29.97 fps"]);
    expect(facts(media({ has_video: false, width: 0 }))).toEqual(["1:01", "sound only"]);
    expect(facts(media({ state: "uploading", duration_seconds: 0, width: 0, frame_rate: 0 }))).toEqual([]);
  });

  it("replaces a changed media in place, and never by an older copy", () => {
    const list = { pages: [{ items: [media({ id: "b" })] }, { items: [media({})] }], pageParams: [] };
    const changed = media({ name: "B", updated_at: "2026-01-02T00:00:00Z" });
    const next = merged(list, changed, false);
    expect(next.pages[1]?.items?.[0]?.name).toBe("B");
    expect(merged(next, media({ name: "old" }), false).pages[1]?.items?.[0]?.name).toBe("B");
  });

  it("puts a new media first, but not into a search", () => {
    const list = { pages: [{ items: [media({})] }], pageParams: [] };
    expect(merged(list, media({ id: "n" }), false).pages[0]?.items?.map((m) => m.id)).toEqual(["n", "a"]);
    expect(merged(list, media({ id: "n" }), true).pages[0]?.items?.map((m) => m.id)).toEqual(["a"]);
    expect(without(list, "a").pages[0]?.items).toEqual([]);
    expect(merged({ pages: [{ items: null }], pageParams: [] }, media({}), false).pages[0]?.items).toHaveLength(1);
  });
});
