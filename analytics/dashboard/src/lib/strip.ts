// A row of tabs or links that may be wider than the screen. What is cut off fades out at
// the edge (.strip in base.css), so that it is seen to go on, and the present one is
// brought into sight.

const PRESENT = "[aria-current], [aria-selected=true]";

/** Which edges something lies beyond. */
export function beyond({ scrollLeft, clientWidth, scrollWidth }: { scrollLeft: number; clientWidth: number; scrollWidth: number }): { before: boolean; after: boolean } {
  // Half a pixel is no more to see: widths are rounded, positions are not.
  return { before: scrollLeft > 1, after: scrollLeft + clientWidth < scrollWidth - 1 };
}

/** An attachment for the element that scrolls. */
export function strip(row: HTMLElement): () => void {
  const mark = () => {
    const { before, after } = beyond(row);
    row.toggleAttribute("data-before", before);
    row.toggleAttribute("data-after", after);
  };
  const reveal = () => {
    const present = row.querySelector<HTMLElement>(PRESENT);
    if (present) {
      const [{ left, width }, around] = [present.getBoundingClientRect(), row.getBoundingClientRect()];
      row.scrollLeft += left - around.left - (row.clientWidth - width) / 2;
    }
    mark();
  };
  const changed = new MutationObserver(reveal);
  changed.observe(row, { subtree: true, attributes: true, attributeFilter: ["aria-current", "aria-selected"] });
  const resized = new ResizeObserver(reveal);
  resized.observe(row);
  row.addEventListener("scroll", mark, { passive: true });
  reveal();
  return () => {
    changed.disconnect();
    resized.disconnect();
    row.removeEventListener("scroll", mark);
  };
}
