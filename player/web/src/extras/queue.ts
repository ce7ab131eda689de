import type { VitascopePlayerElement, VitascopeQueueEntry } from "../api/types";
import type { Facade } from "../contract";

interface Elements { facades: Set<Facade>; seen: VitascopeQueueEntry[] }

const known: Elements = { facades: new Set(), seen: [] };

/**
 * Answers `window._vitascope`, an array that pages push to before the script
 * has run: each entry's onReady is called for every element it names, now or
 * later. An error in it is reported to the page as uncaught, as any of its own.
 */
export function answerQueue(facade: Facade, ready: (facade: Facade) => Promise<HTMLElement>): void {
  const page = window as { _vitascope?: unknown };
  const offer = (entry: VitascopeQueueEntry, to: Facade): void => {
    const { host } = to;
    if (to.stopped || (entry.id !== "_all" && entry.id !== host.getAttribute("media-id") && entry.id !== host.id)) return;
    ready(to).then((element) => queueMicrotask(() => entry.onReady(element as VitascopePlayerElement)), () => {});
  };
  const take = (entry: VitascopeQueueEntry): void => {
    if (typeof entry?.onReady !== "function") return;
    known.seen.push(entry);
    for (const each of known.facades) offer(entry, each);
  };
  if (!("_vitascope" in page)) return;
  if (Array.isArray(page._vitascope)) {
    const waiting = [...(page._vitascope as VitascopeQueueEntry[])];
    const queue = page._vitascope as VitascopeQueueEntry[];
    queue.push = (...entries) => {
      entries.forEach(take);
      return known.seen.length;
    };
    queue.length = 0;
    Object.defineProperty(page, "_vitascope", { value: Object.freeze({ push: queue.push }), configurable: true, writable: true });
    for (const entry of waiting) take(entry);
  }
  for (const each of known.facades) if (each.stopped) known.facades.delete(each);
  for (const entry of known.seen) offer(entry, facade);
  known.facades.add(facade);
}
