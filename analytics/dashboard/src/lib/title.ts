/** title returns what the browser's tab says for a page. */
export function title(page?: string): string {
  return page ? `${page} · Vitascope` : "Vitascope";
}
