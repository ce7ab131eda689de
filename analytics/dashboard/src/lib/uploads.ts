// The state of uploads apart from the machinery that sends them: every change
// is a function from one item to the next, so that it is tested without a
// network.

/** UploadStatus: waiting means that the connection is lost and being retried. */
export type UploadStatus = "queued" | "uploading" | "waiting" | "paused" | "done" | "failed";

/** Upload is one file on its way. */
export interface Upload {
  id: string;
  name: string;
  size: number;
  sent: number;
  status: UploadStatus;
  /** error is a sentence, set when failed. */
  error?: string;
  /** mediaID is known from the server's first answer on. */
  mediaID?: string;
  /** samples are recent [milliseconds, bytes sent] pairs, oldest first. */
  samples: readonly (readonly [number, number])[];
}

/** The rate is taken over this many milliseconds: steady, yet quick to follow. */
const rateWindow = 6000;

/** begin returns a new upload in the queue. */
export function begin(id: string, name: string, size: number): Upload {
  return { id, name, size, sent: 0, status: "queued", samples: [] };
}

/** progressed records bytes sent; a jump back (a resume at the server's offset) restarts the rate. */
export function progressed(u: Upload, sent: number, now: number): Upload {
  if (u.status === "done" || u.status === "paused" || u.status === "failed") return u;
  const kept = sent < u.sent || u.status !== "uploading" ? [] : u.samples.filter(([at]) => now - at <= rateWindow);
  return { ...u, sent, status: "uploading", samples: [...kept, [now, sent]] };
}

/** interrupted notes a lost connection that is being retried. */
export function interrupted(u: Upload): Upload {
  return u.status === "uploading" || u.status === "queued" ? { ...u, status: "waiting", samples: [] } : u;
}

/** paused and resumed are the person's own stops and starts. */
export function paused(u: Upload): Upload {
  return active(u) ? { ...u, status: "paused", samples: [] } : u;
}

/** resumed puts a paused or failed upload back in the queue. */
export function resumed(u: Upload): Upload {
  return u.status === "paused" || u.status === "failed" ? { ...u, status: "queued", error: undefined } : u;
}

/** finished marks the last byte as acknowledged. */
export function finished(u: Upload): Upload {
  return { ...u, sent: u.size, status: "done", samples: [], error: undefined };
}

/** failed keeps the reason as a sentence. */
export function failed(u: Upload, status: number, detail: string): Upload {
  return { ...u, status: "failed", samples: [], error: failureSentence(status, detail) };
}

/** active reports whether an upload still moves or wants to. */
export function active(u: Upload): boolean {
  return u.status === "queued" || u.status === "uploading" || u.status === "waiting";
}

/** share returns how much is sent, 0 to 1; an empty file is all sent when done. */
export function share(u: Upload): number {
  if (u.size <= 0) return u.status === "done" ? 1 : 0;
  return Math.min(1, u.sent / u.size);
}

/** rate returns bytes per second over the recent past, or undefined when unknown. */
export function rate(u: Upload): number | undefined {
  const first = u.samples[0];
  const last = u.samples[u.samples.length - 1];
  if (!first || !last || last[0] - first[0] < 250) return undefined;
  return ((last[1] - first[1]) * 1000) / (last[0] - first[0]);
}

/** secondsLeft estimates the rest from the rate; undefined when unknown. */
export function secondsLeft(u: Upload): number | undefined {
  const speed = rate(u);
  return speed ? (u.size - u.sent) / speed : undefined;
}

/** failureSentence words an upload's failure and what to do about it. */
export function failureSentence(status: number, detail: string): string {
  const said = detail.trim().replace(/\s+/g, " ");
  switch (status) {
    case 0:
      return "The connection was lost for too long. Try again: the upload goes on where it stopped.";
    case 401:
      return "You are signed out. Sign in again, then try again: the upload goes on where it stopped.";
    case 403:
      return said || "Your account is not allowed to upload.";
    case 404:
    case 410:
      return "The server no longer knows this upload. Try again to send it from the start.";
    case 413:
      return said || "This file is larger than the server accepts.";
    case 507:
      return "The server has no room left for this file.";
    default:
      return said || `The server refused the upload (${status}). Try again.`;
  }
}

/** overall sums up uploads for a one-line status. */
export function overall(items: readonly Upload[]): { running: number; failed: number; done: number; share: number } {
  const size = items.reduce((sum, u) => sum + u.size, 0);
  const sent = items.reduce((sum, u) => sum + (u.status === "done" ? u.size : u.sent), 0);
  return {
    running: items.filter(active).length,
    failed: items.filter((u) => u.status === "failed").length,
    done: items.filter((u) => u.status === "done").length,
    share: size > 0 ? sent / size : 0,
  };
}
