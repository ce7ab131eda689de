import type { AudioOption } from "./engine";

/**
 * The sound's languages in the shape media-chrome's audio menu reads from a
 * media element: `video.audioTracks` of HTML, which few browsers have.
 */
export class AudioTracks extends EventTarget {
  readonly #choose: (id: string) => void;
  #tracks: readonly Track[] = [];

  /** choose is called with the id of a track that was switched on. */
  constructor(choose: (id: string) => void) {
    super();
    this.#choose = choose;
  }

  get length(): number {
    return this.#tracks.length;
  }

  /** Replaces the list. One track is no choice, and is not listed. */
  update(options: readonly AudioOption[]): void {
    const listed = options.length > 1 ? options : [];
    const same = listed.length === this.#tracks.length && listed.every((o, i) => o.id === this.#tracks[i]?.id && o.label === this.#tracks[i]?.label);
    this.#tracks = listed.map((option) => new Track(option, this.#choose));
    this.dispatchEvent(new Event(same ? "change" : "addtrack"));
  }

  [Symbol.iterator](): Iterator<Track> {
    return this.#tracks[Symbol.iterator]();
  }
}

class Track {
  readonly id: string;
  readonly kind = "main";
  readonly label: string;
  readonly language: string;
  readonly #choose: (id: string) => void;
  #enabled: boolean;

  constructor({ id, label, language, enabled }: AudioOption, choose: (id: string) => void) {
    this.id = id;
    this.label = label || language || `Track ${Number(id) + 1}`;
    this.language = language;
    this.#enabled = enabled;
    this.#choose = choose;
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  set enabled(on: boolean) {
    if (on && !this.#enabled) this.#choose(this.id);
    this.#enabled = on;
  }
}
