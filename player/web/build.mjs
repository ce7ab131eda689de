// Builds dist/: player.js (the facade, unhashed), assets/player-<hash>.js (all
// that loads on intent), page.css (watch and iframe pages), manifest.json and
// .gz/.br siblings. Prints the sizes that the budget test checks.
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "esbuild";
import { hlsDefine, hlsPlugin } from "./build/hls.mjs";
import { mediaChromePlugin } from "./build/media-chrome.mjs";
import { minifyTemplates } from "./build/templates.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const hlsVersion = createRequire(import.meta.url)("hls.js/package.json").version;

const common = {
  absWorkingDir: here,
  bundle: true,
  format: "esm",
  minify: true,
  target: "es2022",
  legalComments: "none",
  charset: "utf8",
  logLevel: "warning",
};

/** Builds everything into a folder and returns the gzip sizes by role, in bytes. */
export async function buildPlayer(dist = join(here, "dist")) {
  await clean(dist);
  const player = await build({
    ...common,
    entryPoints: { player: "src/player/mount.ts" },
    entryNames: "player-[hash]",
    outdir: join(dist, "assets"),
    define: hlsDefine(hlsVersion),
    plugins: [hlsPlugin(), mediaChromePlugin(), minifyTemplates()],
    metafile: true,
  });
  const chunk = Object.keys(player.metafile.outputs)[0].split("/").pop();
  await build({
    ...common,
    entryPoints: { player: "src/facade.ts" },
    outdir: dist,
    define: { __PLAYER_CHUNK__: JSON.stringify(`assets/player/${chunk}`) },
    plugins: [minifyTemplates()],
    // Names ending in an underscore are private to one file by convention.
    mangleProps: /[^_]_$/,
  });
  const css = await hashed("src/page.css", join(dist, "assets"), "page");
  await writeFile(join(dist, "manifest.json"), JSON.stringify({ player: chunk, page_css: css }, null, 2) + "\n");
  if (process.env.VITASCOPE_METAFILE) {
    await writeFile(process.env.VITASCOPE_METAFILE, JSON.stringify(player.metafile));
  }
  await compress([join(dist, "player.js"), join(dist, "assets", chunk), join(dist, "assets", css)]);
  return {
    facade: await gzipSize(join(dist, "player.js")),
    player: await gzipSize(join(dist, "assets", chunk)),
    page_css: await gzipSize(join(dist, "assets", css)),
  };
}

// clean empties the folder but for the tracked placeholder.
async function clean(dist) {
  await mkdir(dist, { recursive: true });
  for (const name of await readdir(dist)) {
    if (name !== ".keep") await rm(join(dist, name), { recursive: true });
  }
}

async function hashed(entry, folder, name) {
  const out = await build({ ...common, entryPoints: [entry], write: false, outdir: folder });
  const bytes = out.outputFiles[0].contents;
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 8).toUpperCase();
  const file = `${name}-${hash}.css`;
  await writeFile(join(folder, file), bytes);
  return file;
}

async function compress(files) {
  for (const file of files) {
    const bytes = await readFile(file);
    await writeFile(`${file}.gz`, gzipSync(bytes, { level: 9 }));
    const params = {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    };
    await writeFile(`${file}.br`, brotliCompressSync(bytes, { params }));
  }
}

async function gzipSize(file) {
  return (await readFile(`${file}.gz`)).length;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const sizes = await buildPlayer();
  for (const [name, bytes] of Object.entries(sizes)) {
    console.log(`${name.padEnd(9)} ${String(bytes).padStart(7)} B gz`);
  }
}
