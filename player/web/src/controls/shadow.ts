/**
 * Writes shadow roots without `<style>` elements or `style` attributes, so
 * that pages with a strict Content-Security-Policy accept them. The build
 * routes media-chrome's templates through here (build/media-chrome.mjs).
 */

const sheets = new Map<string, CSSStyleSheet>();
const own = new WeakMap<ShadowRoot, CSSStyleSheet>();

/** A shared constructable sheet for a text; the same text gives the same sheet. */
export function sheet(text: string): CSSStyleSheet {
  let found = sheets.get(text);
  if (!found) {
    found = new CSSStyleSheet();
    found.replaceSync(text);
    sheets.set(text, found);
  }
  return found;
}

/** Parses html into root; its styles become adopted sheets. */
export function writeShadow(root: ShadowRoot, html: string): void {
  const template = document.createElement("template");
  // A style attribute would be refused at parse time: carry it under another name.
  template.innerHTML = html.replace(/(<[^>]*\s)style="/g, '$1data-vs-style="');
  const content = template.content;
  for (const style of content.querySelectorAll("style")) {
    // A sheet with a media attribute starts switched off; nothing turns those on here.
    if (!style.hasAttribute("media")) adopt(root, sheet(style.textContent ?? ""));
    const stand = document.createElement("template");
    stand.id = style.id;
    style.replaceWith(stand);
  }
  for (const declared of content.querySelectorAll("template[shadowrootmode]")) declared.remove();
  const copy = document.importNode(content, true);
  for (const el of copy.querySelectorAll<HTMLElement>("[data-vs-style]")) {
    el.style.cssText = el.dataset.vsStyle ?? "";
    el.removeAttribute("data-vs-style");
  }
  root.replaceChildren(copy);
}

/** Rules set from script, kept in one private sheet per root. */
export const sheetRule = {
  find(root: Node, want: (selector: string) => boolean): CSSStyleRule | undefined {
    if (!(root instanceof ShadowRoot)) return undefined;
    for (const rule of own.get(root)?.cssRules ?? []) {
      if (rule instanceof CSSStyleRule && want(rule.selectorText)) return rule;
    }
    return undefined;
  },
  insert(root: Node, selector: string): CSSStyleRule {
    const target = root instanceof ShadowRoot ? root : null;
    let rules = target ? own.get(target) : new CSSStyleSheet();
    if (!rules) {
      rules = new CSSStyleSheet();
      if (target) own.set(target, rules);
    }
    if (target) {
      // Last, so that it wins over the sheets of the template.
      target.adoptedStyleSheets = [...target.adoptedStyleSheets.filter((s) => s !== rules), rules];
    }
    return rules.cssRules[rules.insertRule(`${selector}{}`, rules.cssRules.length)] as CSSStyleRule;
  },
};

function adopt(root: ShadowRoot, added: CSSStyleSheet): void {
  root.adoptedStyleSheets = [...root.adoptedStyleSheets, added];
}
