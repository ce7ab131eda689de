// Squeezes white space and needless quotes out of css`...` and html`...`
// templates of our own sources, which no minifier looks into.
import { readFile } from "node:fs/promises";

/** Collapses white space in tagged css and html templates under src/. */
export function minifyTemplates() {
  return {
    name: "minify-templates",
    setup(build) {
      build.onLoad({ filter: /player[\\/]web[\\/]src[\\/].*\.ts$/ }, async (args) => {
        const code = await readFile(args.path, "utf8");
        const contents = code
          .replace(/\/\* css \*\/ `([^`]*)`/g, (_, text) => "`" + squeezeCSS(text) + "`")
          .replace(/\/\* html \*\/ `([^`]*)`/g, (_, text) => "`" + squeezeHTML(text) + "`");
        return { contents, loader: "ts" };
      });
    },
  };
}

function squeezeCSS(text) {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\s+/g, " ")
    .replace(/\s*([{};,>])\s*/g, "$1")
    .replace(/:\s+/g, ":")
    .replace(/;}/g, "}")
    .replace(/ !important/g, "!important")
    .trim();
}

function squeezeHTML(text) {
  return text.replace(/\s+/g, " ").replace(/> </g, "><").replace(/=""(?=[ >])/g, "").replace(/="([\w-]+)"(?=[ >])/g, "=$1").trim();
}
