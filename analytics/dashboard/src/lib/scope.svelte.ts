// The scope of the page that is shown, read from and written to its address.

import { replace, router } from "svelte-spa-router";

import { parse, type Scope, write } from "./scope";

class ScopeState {
  /** current is the scope in the address. */
  current = $derived(parse(router.querystring));
  /** query is the same as an address's query, to carry to other pages. */
  query = $derived(write(this.current));

  /** set shows another scope on the same page. */
  set(next: Scope): void {
    const query = write(next);
    void replace(router.location + (query ? `?${query}` : ""));
  }

  /** to is the address of another analytics page under the same scope. */
  to(path: string): string {
    return `#${path}${this.query ? `?${this.query}` : ""}`;
  }
}

export const scope = new ScopeState();
