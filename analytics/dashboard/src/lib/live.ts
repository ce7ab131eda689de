// Live changes of the account's media, pushed by the server into the cache.

import type { QueryClient } from "@tanstack/svelte-query";

import type { Media } from "../api/client";
import { type Pages, merged, newer, without } from "./media";

/** The cache's keys, in one place. */
export const keys = {
  session: ["session"] as const,
  lists: ["media", "list"] as const,
  list: (q: string) => ["media", "list", q] as const,
  one: (id: string) => ["media", "one", id] as const,
  stats: (id: string) => ["stats", id] as const,
  overview: ["stats", "overview"] as const,
  tokens: ["tokens"] as const,
  playbackKeys: ["playback-keys"] as const,
};

/** put files a changed media in every cached list and in its own entry. */
export function put(client: QueryClient, m: Media): void {
  client.setQueryData<Media>(keys.one(m.id), (old) => (old ? newer(old, m) : old));
  for (const query of client.getQueryCache().findAll({ queryKey: keys.lists })) {
    client.setQueryData<Pages>(query.queryKey, (old) => (old ? merged(old, m, query.queryKey[2] !== "") : old));
  }
}

/** drop removes a deleted media from the cache. */
export function drop(client: QueryClient, id: string): void {
  client.removeQueries({ queryKey: keys.one(id) });
  client.setQueriesData<Pages>({ queryKey: keys.lists }, (old) => (old ? without(old, id) : old));
}

/**
 * follow keeps the cache in step with the server until the returned function is
 * called. After each reconnection the lists are read again, since changes may
 * have been missed.
 */
export function follow(client: QueryClient): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let opened = false;
  const open = () => {
    source = new EventSource("/v1/events");
    source.addEventListener("open", () => {
      if (opened) void client.invalidateQueries({ queryKey: ["media"] });
      opened = true;
    });
    source.addEventListener("media", (event: MessageEvent<string>) => put(client, JSON.parse(event.data) as Media));
    source.addEventListener("media_deleted", (event: MessageEvent<string>) => drop(client, (JSON.parse(event.data) as { id: string }).id));
    source.addEventListener("error", () => {
      // The browser reconnects by itself, except after an answer that is not a stream.
      if (source?.readyState !== EventSource.CLOSED) return;
      timer = setTimeout(open, 5000);
    });
  };
  open();
  return () => {
    clearTimeout(timer);
    source?.close();
  };
}
