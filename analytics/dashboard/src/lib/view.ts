// A view's circumstances in words.

import type { View } from "../api/client";
import { shortURL } from "./format";

const regions = new Intl.DisplayNames(["en"], { type: "region", fallback: "code" });

/** country names a two-letter code; unknown codes stay as they are. */
export function country(code: string | undefined): string {
  if (!code || !/^[A-Za-z]{2}$/.test(code)) return code ?? "";
  return regions.of(code.toUpperCase()) ?? code;
}

/** device words what the viewer used: Firefox on Linux, phone. */
export function device(v: Partial<Pick<View, "device" | "browser" | "os">>): string {
  const kinds: Record<string, string> = { mobile: "phone", tablet: "tablet", tv: "TV", bot: "bot" };
  const program = [v.browser, v.os].filter(Boolean).join(" on ");
  return [program, kinds[v.device ?? ""]].filter(Boolean).join(", ");
}

/** place words where the video was embedded. */
export function place(v: Partial<Pick<View, "page_url">>): string {
  return v.page_url ? shortURL(v.page_url) : "Unknown page";
}

/** visitor shortens a visitor's pseudonym to tell visitors apart in a list. */
export function visitor(id: string): string {
  return id.replace(/[^0-9a-zA-Z]/g, "").slice(0, 4).toLowerCase();
}

/** httpOnly returns an address that is safe as a link's target, or undefined. */
export function httpOnly(url: string | undefined): string | undefined {
  return url && /^https?:\/\//i.test(url) ? url : undefined;
}
