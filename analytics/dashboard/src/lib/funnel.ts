// The way from a loaded player to an action taken.

import type { Action } from "../api/client";

export interface Step {
  key: string;
  name: string;
  value: number;
  /** of is the share of the step before. */
  of: number | undefined;
}

/** offers are actions that ask something of a viewer; chapters and captions are tools of the player. */
const offers = new Set(["cta", "gate", "annotation"]);

const kinds: Record<string, string> = { cta: "Call to action", gate: "Gate", annotation: "Annotation", chapter: "Chapter", captions: "Captions", share: "Share", playlist: "Playlist", end_screen: "End screen", quality: "Quality", pip: "Picture in picture", download: "Download" };

/** actionKind words a type of action. */
export function actionKind(type: string): string {
  return kinds[type] ?? type;
}

/** actionShown says whether an action was shown, so that it has a rate. */
export function actionShown(a: Pick<Action, "impressions">): boolean {
  return a.impressions > 0;
}

/**
 * funnel sums what was offered, clicked and completed. A view that was shown two
 * offers counts in both, as in the list below it.
 */
export function funnel(loads: number, plays: number, items: readonly Action[]): Step[] {
  const sum = (key: "impressions" | "clicks" | "conversions") => items.filter((a) => offers.has(a.type)).reduce((n, a) => n + a[key], 0);
  const steps = [
    { key: "loads", name: "Loaded", value: loads },
    { key: "plays", name: "Played", value: plays },
    { key: "impressions", name: "Offers shown", value: sum("impressions") },
    { key: "clicks", name: "Offers clicked", value: sum("clicks") },
    { key: "conversions", name: "Offers completed", value: sum("conversions") },
  ];
  return steps.map((step, i) => {
    const past = steps[i - 1]?.value;
    return { ...step, of: past === undefined || past === 0 || step.value > past ? undefined : step.value / past };
  });
}
