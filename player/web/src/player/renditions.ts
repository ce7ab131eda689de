import type { Level } from "./engine";

/**
 * The levels of an engine in the shape media-chrome's quality menu reads from
 * a media element (`video.videoRenditions` of the media-tracks proposal).
 */
export class Renditions extends EventTarget {
  readonly #choose: (id: string | null) => void;
  #levels: readonly Level[] = [];
  #selected = -1;

  /** choose is called with a level id, or null for automatic. */
  constructor(choose: (id: string | null) => void) {
    super();
    this.#choose = choose;
  }

  get length(): number {
    return this.#levels.length;
  }

  /** Index of the fixed level, or -1 when the engine chooses. */
  get selectedIndex(): number {
    return this.#selected;
  }

  set selectedIndex(index: number) {
    if (index === this.#selected) return;
    this.#selected = index;
    this.#choose(this.#levels[index]?.id ?? null);
    this.dispatchEvent(new Event("change"));
  }

  /** Replaces the list; a fixed choice that is still on it stays. */
  update(levels: readonly Level[]): void {
    const fixed = this.#levels[this.#selected]?.id;
    for (let i = 0; i < this.#levels.length; i++) delete this[i];
    this.#levels = levels;
    levels.forEach((level, i) => (this[i] = level));
    this.#selected = levels.findIndex((level) => level.id === fixed);
    this.dispatchEvent(new Event("addrendition"));
  }

  [Symbol.iterator](): Iterator<Level> {
    return this.#levels[Symbol.iterator]();
  }

  [index: number]: Level;
}
