// How hls.js is built from its own source: alternate audio and subtitles on,
// everything Vitascope never publishes off. The flags are hls.js's own
// (src/define-plugin.d.ts); the stubs do what its rollup aliases do, and also
// drop the parsers of containers we do not produce: our packager writes CMAF
// only, unencrypted, with captions as WebVTT renditions.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { silence } from "./silence.mjs";

const root = dirname(createRequire(import.meta.url).resolve("hls.js/package.json"));
const src = join(root, "src");

/** The file player/engine.ts imports as "vitascope:hls". */
export const hlsEntry = join(src, "hls.ts");

export const hlsDefine = (version) => ({
  __VERSION__: JSON.stringify(version),
  __USE_ALT_AUDIO__: "true",
  __USE_SUBTITLES__: "true",
  __USE_EME_DRM__: "false",
  __USE_CMCD__: "false",
  __USE_CONTENT_STEERING__: "false",
  __USE_VARIABLE_SUBSTITUTION__: "false",
  __USE_M2TS_ADVANCED_CODECS__: "false",
  __USE_MEDIA_CAPABILITIES__: "false",
  __USE_INTERSTITIALS__: "false",
  __USE_IFRAMES__: "false",
  __IN_WORKER__: "false",
  __HLS_WORKER_BUNDLE__: "undefined",
});

// A demuxer that recognises nothing: the transmuxer asks each in turn.
const noDemuxer = "class None { static probe() { return false } }";

const stubs = {
  "controller/cmcd-controller.ts": "export default undefined;",
  "controller/content-steering-controller.ts": "export default undefined;",
  "controller/eme-controller.ts": "export default undefined;",
  "controller/iframe-controller.ts": "export const IFrameController = undefined;",
  "controller/interstitials-controller.ts": "export default undefined;",
  "crypt/decrypter.ts":
    "export default class { isSync() { return true } flush() { return null } reset() {} destroy() {} decrypt() { return Promise.reject(new Error('encrypted media is not supported')) } }",
  // Passing CMAF through costs less than posting it to a worker, and a
  // worker made from a blob would need a hole in the page's CSP.
  "demux/inject-worker.ts":
    "export const hasUMDWorker = () => false; export const injectWorker = undefined, loadWorker = undefined; export const removeWorkerFromStore = () => {};",
  "demux/tsdemuxer.ts": `${noDemuxer} export default None;`,
  "demux/audio/aacdemuxer.ts": `${noDemuxer} export default None;`,
  "demux/audio/mp3demuxer.ts": `${noDemuxer} export default None;`,
  "demux/audio/ac3-demuxer.ts": `${noDemuxer} export { None as AC3Demuxer };`,
  // Captions still need its clock arithmetic: that one function is kept.
  "remux/mp4-remuxer.ts": `export default class {}
    export const flushTextTrackMetadataCueSamples = () => undefined, flushTextTrackUserdataCueSamples = () => undefined;
    const MPEG_TS_PTS_ROLLOVER = 2 ** 33;
    ${cut("remux/mp4-remuxer.ts", /export function normalizePts\([\s\S]*?\n}\n/)}`,
  "utils/cea-608-parser.ts": "export default class { addData() {} reset() {} }",
  "utils/imsc1-ttml-parser.ts": "export const IMSC1_CODEC = 'stpp.ttml.im1t'; export const parseIMSC1 = (_d, _t, _ok, fail) => fail(new Error('IMSC1 is not supported'));",
};

// cut copies one declaration out of hls.js's source.
function cut(file, pattern) {
  const found = readFileSync(join(src, file), "utf8").match(pattern);
  if (!found) throw new Error(`hls.js: ${file} no longer has ${pattern}`);
  return found[0];
}

/** Replaces the modules above and fails the build when one has moved. */
export function hlsPlugin() {
  return {
    name: "hls-from-source",
    setup(build) {
      const used = new Set();
      build.onResolve({ filter: /^vitascope:hls$/ }, () => ({ path: hlsEntry }));
      build.onLoad({ filter: /hls\.js[\\/]src[\\/].*\.ts$/ }, (args) => {
        const name = relative(src, args.path).replaceAll("\\", "/");
        if (!(name in stubs)) return { contents: silence(readFileSync(args.path, "utf8")), loader: "ts" };
        used.add(name);
        return { contents: stubs[name], loader: "ts" };
      });
      build.onEnd(() => {
        const lost = Object.keys(stubs).filter((name) => !used.has(name));
        if (lost.length > 0) {
          return { errors: [{ text: `hls.js no longer imports ${lost.join(", ")}: review build/hls.mjs` }] };
        }
        return undefined;
      });
    },
  };
}
