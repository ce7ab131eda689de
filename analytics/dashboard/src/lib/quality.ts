// The quality figures in groups, as people read them.

import type { Quality } from "../api/client";
import { bitrate, span } from "./format";

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

/** seconds writes a short time: 0.42 s, 12.5 s. */
export function seconds(s: number): string {
  return `${new Intl.NumberFormat("en", { maximumFractionDigits: s < 10 ? 2 : 1 }).format(s)} s`;
}

/** share writes a share of 0 to 1 finely enough for rare things: 0.03 %. */
export function share(n: number): string {
  const percent = n * 100;
  return `${new Intl.NumberFormat("en", { maximumFractionDigits: percent < 1 ? 2 : 1 }).format(percent)} %`;
}

export interface Group {
  title: string;
  figures: { key: keyof Quality; name: string; value: string }[];
}

/** groups orders the figures of a quality report by what a viewer notices first. */
export function groups(q: Quality): Group[] {
  const row = (key: keyof Quality, name: string, value: string) => ({ key, name, value });
  return [
    {
      title: "Startup",
      figures: [
        row("startup_seconds_median", "Startup time, median", seconds(q.startup_seconds_median)),
        row("startup_seconds_average", "Startup time, average", seconds(q.startup_seconds_average)),
        row("startup_seconds_p95", "Startup time, slowest 5 %", seconds(q.startup_seconds_p95)),
        row("exits_before_start", "Exits before start", share(q.exits_before_start)),
      ],
    },
    {
      title: "Smoothness",
      figures: [
        row("rebuffer_share", "Rebuffering, share of time", share(q.rebuffer_share)),
        row("rebuffers_per_minute", "Rebuffers per minute", number.format(q.rebuffers_per_minute)),
        row("rebuffers_per_view", "Rebuffers per play", number.format(q.rebuffers_per_view)),
        row("rebuffer_seconds_per_view", "Rebuffering per play", seconds(q.rebuffer_seconds_per_view)),
        row("seek_seconds_average", "Wait after a seek", seconds(q.seek_seconds_average)),
      ],
    },
    {
      title: "Picture",
      figures: [
        row("bitrate_bps_average", "Average bit rate", q.bitrate_bps_average > 0 ? bitrate(q.bitrate_bps_average) : "–"),
        row("upscale_average", "Upscaling", share(q.upscale_average)),
        row("downscale_average", "Downscaling", share(q.downscale_average)),
        row("upshifts_per_view", "Upshifts per play", number.format(q.upshifts_per_view)),
        row("downshifts_per_view", "Downshifts per play", number.format(q.downshifts_per_view)),
        row("dropped_frames", "Dropped frames", share(q.dropped_frames)),
      ],
    },
    {
      title: "Failures and delivery",
      figures: [
        row("playback_failures", "Playback failures", share(q.playback_failures)),
        row("startup_failures", "Startup failures", share(q.startup_failures)),
        row("request_failures", "Failed requests", share(q.request_failures)),
        row("request_ttfb_seconds", "Time to first byte", seconds(q.request_ttfb_seconds)),
        row("watch_hours", "Time watching", span(q.watch_hours * 3600)),
      ],
    },
  ];
}
