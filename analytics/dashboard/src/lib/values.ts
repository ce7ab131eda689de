// The values of dimensions in words.

import { none } from "./scope";
import { shortURL } from "./format";
import { country } from "./view";

const languages = new Intl.DisplayNames(["en"], { type: "language", fallback: "code" });

const empty: Record<string, string> = { page: "Unknown page", referrer: "Direct", country: "Unknown", identity: "Not signed", rung: "Not reported", variant: "No test" };
const kinds: Record<string, string> = { desktop: "Desktop", mobile: "Phone", tablet: "Tablet", tv: "TV" };

/** valueName words a value of a dimension; empty and (none) are views without one. */
export function valueName(dimension: string, value: string): string {
  if (value === "" || value === none) return empty[dimension] ?? "None";
  switch (dimension) {
    case "page":
      return shortURL(value);
    case "country":
      return country(value);
    case "device":
      return kinds[value] ?? value;
    case "rung":
      return `${value}p`;
    case "autoplay":
      return value === "yes" ? "Autoplay" : "By the viewer";
    case "bots":
      return value === "yes" ? "Bots" : "People";
    case "language":
      return languageName(value);
  }
  return value;
}

function languageName(tag: string): string {
  try {
    return languages.of(tag) ?? tag;
  } catch {
    return tag; // not a language tag
  }
}
