const KEY = "vitascope";
const RESUME_AT_LEAST_S = 5;

/** What is kept of a viewer in the page's localStorage, and only then; see docs/player.md. */
export interface Memory {
  captions?: string;
  positions?: Record<string, number>;
}

/** Where playback was left, or 0; only for elements that ask for it by `resumable`. */
export function resumeAt(host: HTMLElement, media: string, duration: number): number {
  if (!mayResume(host)) return 0;
  const left = read().positions?.[media] ?? 0;
  return left >= RESUME_AT_LEAST_S && left < duration - RESUME_AT_LEAST_S ? left : 0;
}

/** Whether positions may be kept. */
export function mayResume(host: HTMLElement): boolean {
  return host.hasAttribute("resumable") && host.getAttribute("consent") !== "denied";
}

/** Forgets everything that was kept on this page's origin. */
export function forget(): void {
  try {
    localStorage.removeItem(KEY);
    localStorage.removeItem(`${KEY}-gates`);
  } catch {
    // Storage is refused: nothing is kept.
  }
}

export function read(): Memory {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return typeof value === "object" && value ? value : {};
  } catch {
    return {};
  }
}

export function write(change: (memory: Memory) => Memory): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(change(read())));
  } catch {
    // Storage is full or refused: nothing is kept.
  }
}
