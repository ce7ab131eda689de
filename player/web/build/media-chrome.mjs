// media-chrome writes <style> elements into its shadow roots, which a page
// with a strict Content-Security-Policy refuses. This plugin rewrites the few
// places that do so, at build time, to constructable style sheets (see
// src/controls/shadow.ts). The patterns belong to the pinned version: the build
// fails when one no longer matches.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const shadow = fileURLToPath(new URL("../src/controls/shadow.ts", import.meta.url));

const plain = /this\.shadowRoot\.innerHTML = this\.constructor\.getTemplateHTML\(attrs\);/;
const unsafe = /this\.shadowRoot\.setHTMLUnsafe \? this\.shadowRoot\.setHTMLUnsafe\(html\) : this\.shadowRoot\.innerHTML = html;/;

// A menu may own menu items only, and its way back is one (WAI-ARIA 1.2, menu).
// Its name must contain the title it shows (WCAG 2.5.3), so the rest is text too.
const backButton = '<button part="back button" aria-label="Back to previous menu">';
const backItem =
  '<button role="menuitem" part="back button">' +
  '<span style="position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)">Back from </span>';

// Menus slide under each other but for viewers who prefer less motion.
const slide = "transition: transform .2s";

// A menu takes the focus at the end of a transition. One that is opened again while it
// closes may have none, and what it waits for then comes with another's, when the focus
// is within and it would note that as the place to give it back to.
const entering = 'this.addEventListener("transitionend", () => this.focus(), { once: true });';
const entered = `
  const enter = () => {
    clearTimeout(late);
    this.removeEventListener("transitionend", enter);
    if (!this.hidden && !containsComposedNode(this, getActiveElement())) this.focus();
  };
  const late = setTimeout(enter, 350);
  this.addEventListener("transitionend", enter);`;

const ruleHelpers = /function getCSSRule\([\s\S]*?\nfunction getNumericAttr/;

/** Rewrites the templates of media-chrome's elements for a strict CSP. */
export function mediaChromePlugin() {
  return {
    name: "media-chrome-csp",
    setup(build) {
      build.onLoad({ filter: /media-chrome[\\/]dist[\\/].*\.js$/ }, async (args) => {
        // Of the list of keys only this is used: see src/panels/keys.ts.
        if (args.path.endsWith("media-keyboard-shortcuts-dialog.js")) {
          return { contents: 'export const getHotkeyToken = (key) => (key === " " ? "nospace" : "no" + key.toLowerCase());', loader: "js" };
        }
        let code = await readFile(args.path, "utf8");
        const head = `import { writeShadow as __write, sheetRule as __rule } from ${JSON.stringify(shadow)};\n`;
        if (args.path.endsWith("element-utils.js")) {
          if (!ruleHelpers.test(code)) throw new Error(`${args.path}: rule helpers have changed`);
          code = code.replace(
            ruleHelpers,
            "const getCSSRule = (root, want) => __rule.find(root, want);\n" +
              "const insertCSSRule = (root, selector) => __rule.insert(root, selector);\nfunction getNumericAttr",
          );
          return { contents: head + code, loader: "js" };
        }
        if (args.path.endsWith("media-chrome-menu.js")) {
          if (!code.includes(backButton)) throw new Error(`${args.path}: the back button has changed`);
          code = code.replace(backButton, backItem);
          if (!code.includes(entering)) throw new Error(`${args.path}: menus take the focus in another way`);
          code = code.replace(entering, entered);
          if (code.split(slide).length !== 3) throw new Error(`${args.path}: menus slide in another way`);
          code = code.replaceAll(slide, "transition: transform var(--vitascope-slide, .2s)");
        }
        const written = code
          .replace(plain, "__write(this.shadowRoot, this.constructor.getTemplateHTML(attrs));")
          .replace(unsafe, "__write(this.shadowRoot, html);");
        if (/shadowRoot\.(innerHTML|setHTMLUnsafe)/.test(written)) {
          throw new Error(`${args.path}: a template is written in a way the plugin does not know`);
        }
        // Templates are indented for people; esbuild keeps the text of literals.
        const squeezed = written.replace(/\n\s+/g, "\n");
        return { contents: (written === code ? "" : head) + squeezed, loader: "js" };
      });
    },
  };
}
