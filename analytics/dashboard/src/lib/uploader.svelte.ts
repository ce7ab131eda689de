// Sends files by tus. The sending library is fetched with the first file; it
// remembers unfinished uploads in this browser, so that choosing the same file
// after a reload goes on where the server stopped.

import type Uppy from "@uppy/core";

import * as state from "./uploads";
import type { Upload } from "./uploads";

/** Lost connections are retried for about four minutes, then the person decides. */
const retryDelays = [0, 1000, 2000, 4000, 8000, 15_000, 30_000, 60_000, 60_000, 60_000];

class Uploader {
  /** items are the uploads of this page, newest last. */
  items = $state.raw<readonly Upload[]>([]);
  #engine: Promise<Uppy> | undefined;
  /** #mediaIDs holds the media that the server named for each upload's address. */
  #mediaIDs = new Map<string, string>();

  constructor() {
    globalThis.addEventListener?.("beforeunload", (event) => {
      if (this.items.some(state.active)) event.preventDefault();
    });
  }

  /** add queues files and starts sending; a file already on its way is left alone. */
  async add(files: Iterable<File>): Promise<void> {
    const list = [...files];
    if (list.length === 0) return;
    let uppy: Uppy;
    try {
      uppy = await this.#start();
    } catch {
      const reason = "The page could not load its upload part. Reload the page and try again.";
      this.items = [...this.items, ...list.map((f) => state.failed(state.begin(f.name, f.name, f.size), -1, reason))];
      this.#engine = undefined;
      return;
    }
    for (const file of list) this.#enqueue(uppy, file);
  }

  /** pause and resume stop and go on with one upload. */
  async pause(id: string): Promise<void> {
    const uppy = await this.#start();
    if (uppy.getFile(id)?.isPaused) return;
    uppy.pauseResume(id);
    this.#change(id, state.paused);
  }

  async resume(id: string): Promise<void> {
    const uppy = await this.#start();
    if (!uppy.getFile(id)?.isPaused) return;
    this.#change(id, state.resumed);
    uppy.pauseResume(id);
  }

  /** retry sends a failed upload again, from where the server stopped. */
  async retry(id: string): Promise<void> {
    const uppy = await this.#start();
    if (!uppy.getFile(id)) return;
    this.#change(id, state.resumed);
    await uppy.retryUpload(id);
  }

  /** cancel stops an upload and removes what the server has of it. */
  async cancel(id: string): Promise<void> {
    const uppy = await this.#start();
    this.items = this.items.filter((u) => u.id !== id);
    if (uppy.getFile(id)) uppy.removeFile(id);
  }

  /** clear forgets uploads that are done. */
  clear(): void {
    this.items = this.items.filter((u) => u.status !== "done");
  }

  /** forMedia returns this page's upload of a media, sent or not. */
  forMedia(mediaID: string): Upload | undefined {
    return this.items.find((u) => u.mediaID === mediaID);
  }

  #enqueue(uppy: Uppy, file: File): void {
    try {
      const id = uppy.addFile({ name: file.name, type: file.type, data: file, source: "dashboard" });
      this.items = [...this.items.filter((u) => u.id !== id), state.begin(id, file.name, file.size)];
    } catch {
      // The library refuses a file that is already in its queue: nothing to add.
    }
  }

  #change(id: string | undefined, step: (u: Upload) => Upload): void {
    this.items = this.items.map((u) => (u.id === id ? step(u) : u));
  }

  #start(): Promise<Uppy> {
    this.#engine ??= this.#load();
    return this.#engine;
  }

  async #load(): Promise<Uppy> {
    const [{ default: UppyCore }, { default: Tus }] = await Promise.all([import("@uppy/core"), import("@uppy/tus")]);
    const uppy = new UppyCore({ autoProceed: true });
    uppy.use(Tus, {
      endpoint: new URL("/uploads/", location.href).href,
      retryDelays,
      limit: 2,
      removeFingerprintOnSuccess: true,
      allowedMetaFields: ["name", "type"],
      onAfterResponse: (request, response) => {
        const mediaID = response.getHeader("Vitascope-Media-Id");
        const location = response.getHeader("Location");
        const url = location ? new URL(location, request.getURL()).href : request.getURL();
        if (mediaID) this.#mediaIDs.set(url, mediaID);
      },
      onShouldRetry: (error, _attempt, _options, next) => {
        const again = next(error);
        if (again) {
          const name = error.originalRequest?.getURL();
          for (const u of this.items) {
            const url = uppy.getFile(u.id)?.tus?.uploadUrl;
            if (u.status === "uploading" && (!url || url === name)) this.#change(u.id, state.interrupted);
          }
        }
        return again;
      },
    });
    uppy.on("upload-progress", (file, progress) => {
      const url = file && uppy.getFile(file.id)?.tus?.uploadUrl;
      const mediaID = url ? this.#mediaIDs.get(url) : undefined;
      this.#change(file?.id, (u) => ({
        ...state.progressed(u, progress.bytesUploaded || 0, performance.now()),
        mediaID: mediaID ?? u.mediaID,
      }));
    });
    uppy.on("upload-success", (file) => this.#change(file?.id, state.finished));
    uppy.on("upload-error", (file, error, response) => {
      const body: { xhr?: XMLHttpRequest } = response?.body ?? {};
      this.#change(file?.id, (u) => state.failed(u, response?.status ?? 0, problemDetail(body.xhr) || ""));
      if (!response) console.warn("upload failed:", error.message);
    });
    uppy.on("complete", (result) => {
      for (const file of result.successful ?? []) if (uppy.getFile(file.id)) uppy.removeFile(file.id);
    });
    return uppy;
  }
}

/** problemDetail takes the sentence out of a problem document, or a short plain answer. */
function problemDetail(xhr: XMLHttpRequest | undefined): string {
  if (!xhr || (xhr.responseType !== "" && xhr.responseType !== "text")) return "";
  const text = xhr.responseText;
  try {
    const problem: unknown = JSON.parse(text);
    if (problem && typeof problem === "object" && "detail" in problem && typeof problem.detail === "string") {
      return problem.detail;
    }
    return "";
  } catch {
    return text.length < 200 && !text.includes("<") ? text : "";
  }
}

export const uploader = new Uploader();
