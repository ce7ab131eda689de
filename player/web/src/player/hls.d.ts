// hls.js as the build assembles it from source; see build/hls.mjs.
declare module "vitascope:hls" {
  export { default } from "hls.js";
}
