// Writes a .br and a .gz sibling beside each text file of the build, for the
// Go handler to send as they are, and prints what the first load weighs.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const dir = new URL("dist/app/assets/dashboard/", import.meta.url).pathname;
let total = 0;
for (const name of readdirSync(dir).filter((n) => /\.(js|css|svg)$/.test(n))) {
  const body = readFileSync(join(dir, name));
  const gzip = gzipSync(body, { level: 9 });
  const quality = { [constants.BROTLI_PARAM_QUALITY]: 11 };
  const brotli = brotliCompressSync(body, { params: quality });
  writeFileSync(join(dir, `${name}.gz`), gzip);
  writeFileSync(join(dir, `${name}.br`), brotli);
  total += gzip.length;
  console.log(`${name}: ${body.length} bytes, gzip ${gzip.length}, br ${brotli.length}`);
}
console.log(`all assets: gzip ${total} bytes`);
