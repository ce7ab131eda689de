/// <reference types="svelte" />
/// <reference types="vite/client" />

declare module "svelte/elements" {
  interface SvelteHTMLElements {
    "vitascope-player": HTMLAttributes<HTMLElement> & { "media-id": string; token?: string | undefined; "do-not-track"?: boolean | ""; muted?: ""; preload?: "auto"; start?: string };
  }
}

export {};
