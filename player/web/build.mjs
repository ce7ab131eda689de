// Builds the browser player into dist/: player.js (the facade, unhashed),
// assets/<name>-<hash>.js (what loads later), page.css (watch and iframe
// pages), manifest.json and .gz/.br siblings. Prints the sizes that the budget
// test checks.
import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "esbuild";
import { minify } from "vite";
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
  metafile: true,
  plugins: [mediaChromePlugin(), minifyTemplates()],
};

/**
 * Builds everything into a folder and returns gzip sizes in bytes: of the
 * facade, of what a first play loads by itself, of what comes only when it is
 * wanted, file by file.
 */
export async function buildPlayer(dist = join(here, "dist")) {
  await clean(dist);
  const assets = join(dist, "assets");
  const controls = await chunks("controls", "src/controls/dress.ts", assets);
  const known = { controls: controls.entry };
  // What the first frame waits for is one file without imports.
  const player = await chunks("player", "src/player/with-hls.ts", assets, known, {
    define: hlsDefine(hlsVersion), plugins: [hlsPlugin(), minifyTemplates()],
  });
  const native = await chunks("native", "src/player/with-native.ts", assets, known);
  const extras = await chunks("extras", "src/extras/extras.ts", assets, { native: native.entry });
  const rest = await chunks("rest", "src/rest/rest.ts", assets);
  const path = (name) => `assets/player/${name}`;
  await build({
    ...common,
    entryPoints: { player: "src/facade.ts" },
    outdir: dist,
    define: { "__CHUNKS__.player": JSON.stringify(path(player.entry)), "__CHUNKS__.extras": JSON.stringify(path(extras.entry)), "__CHUNKS__.rest": JSON.stringify(path(rest.entry)) },
    // Names ending in an underscore are private to one file by convention.
    mangleProps: /[^_]_$/,
  });
  await squeeze(join(dist, "player.js"));
  const css = await hashed("src/page.css", assets, "page");
  await copyFile(join(here, "src/api/types.ts"), join(dist, "player.d.ts"));
  await writeFile(join(dist, "manifest.json"), JSON.stringify({ player: player.entry, controls: controls.first, page_css: css }, null, 2) + "\n");
  if (process.env.VITASCOPE_METAFILE) await writeFile(process.env.VITASCOPE_METAFILE, JSON.stringify(player.metafile));
  await compress([join(dist, "player.js"), ...(await readdir(assets)).filter((name) => /\.(js|css)$/.test(name)).map((name) => join(assets, name))]);

  const size = (name) => gzipSize(join(assets, name));
  const sum = async (names) => (await Promise.all(names.map(size))).reduce((a, b) => a + b, 0);
  const facade = await gzipSize(join(dist, "player.js"));
  const first = await sum([player.entry, ...controls.first]);
  return {
    facade, first_frame: facade + (await size(player.entry)), first_play: facade + first, page_css: await size(css),
    late: Object.fromEntries(await Promise.all([...controls.late, ...extras.all, ...native.all, ...rest.all].map(async (name) => [name, await size(name)]))),
  };
}

// chunks builds an entry and what it imports later. `first` are the files that
// load with it, `late` those that wait.
async function chunks(name, entry, outdir, names = {}, more = {}) {
  const out = await build({
    ...common,
    ...more,
    entryPoints: { [name]: entry },
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    splitting: true,
    outdir,
    define: { ...more.define, ...Object.fromEntries(Object.entries(names).map(([key, file]) => [`__CHUNKS__.${key}`, JSON.stringify(`assets/player/${file}`)])) },
  });
  const { outputs } = out.metafile;
  const start = Object.keys(outputs).find((file) => outputs[file].entryPoint === entry);
  const first = new Set();
  const follow = (file) => {
    if (first.has(file)) return;
    first.add(file);
    for (const { path, kind } of outputs[file].imports) if (kind === "import-statement") follow(path);
  };
  follow(start);
  if ((name === "player" || name === "native") && first.size > 1) throw new Error(`${name} imports ${[...first]}: the first frame would wait for two files`);
  const all = Object.keys(outputs).map((file) => basename(file));
  return {
    entry: basename(start), all, first: [...first].map((file) => basename(file)),
    late: Object.keys(outputs).filter((file) => !first.has(file)).map((file) => basename(file)), metafile: out.metafile,
  };
}

// squeeze makes the facade still smaller, and asks for its functions to be compiled
// with the file, beside the page's thread: nearly all of them run at once.
async function squeeze(file) {
  const { code, errors } = await minify(basename(file), await readFile(file, "utf8"), { module: true, compress: { target: "es2022" }, mangle: { toplevel: true } });
  if (errors.length > 0) throw new Error(errors[0].message);
  await writeFile(file, `//# allFunctionsCalledOnLoad\n${code}`);
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
  const { late, ...sizes } = await buildPlayer();
  for (const [name, bytes] of [...Object.entries(sizes), ...Object.entries(late)]) {
    console.log(`${name.padEnd(28)} ${String(bytes).padStart(7)} B gz`);
  }
}
