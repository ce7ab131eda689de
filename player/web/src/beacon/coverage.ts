/** Half-open media time in whole milliseconds. */
export interface Span { from: number; to: number }

/** A piece of watched time, and whether it had been watched before. */
export interface Piece extends Span { repeat: boolean }

/**
 * The union of what one view has watched. It splits each new interval into
 * first-time and repeated pieces, so that first-time pieces of one view never
 * overlap. Memory grows with the number of separate stretches, not with time.
 */
export class Coverage {
  /** Sorted, disjoint, never touching. */
  #spans: Span[] = [];

  /** The watched stretches, in order. */
  get spans(): readonly Span[] {
    return this.#spans;
  }

  /** Milliseconds watched at least once. */
  get total(): number {
    return this.#spans.reduce((sum, s) => sum + s.to - s.from, 0);
  }

  /** Adds [from, to) and returns its pieces in order; none when it is empty. */
  add(from: number, to: number): Piece[] {
    const pieces: Piece[] = [];
    if (!(from < to)) return pieces;
    let at = from;
    for (const s of this.#spans) {
      if (s.to <= at) continue;
      if (s.from >= to) break;
      if (at < s.from) pieces.push({ from: at, to: s.from, repeat: false });
      const start = Math.max(at, s.from);
      at = Math.min(s.to, to);
      pieces.push({ from: start, to: at, repeat: true });
    }
    if (at < to) pieces.push({ from: at, to, repeat: false });
    this.#merge(from, to);
    return pieces;
  }

  #merge(from: number, to: number): void {
    const kept: Span[] = [];
    for (const s of this.#spans) {
      if (s.to < from || s.from > to) {
        kept.push(s);
      } else {
        from = Math.min(from, s.from);
        to = Math.max(to, s.to);
      }
    }
    const i = kept.findIndex((s) => s.from > from);
    kept.splice(i < 0 ? kept.length : i, 0, { from, to });
    this.#spans = kept;
  }
}
