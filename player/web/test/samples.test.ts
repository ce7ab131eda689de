import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Refusal, decodeBatch } from "../src/beacon/validate";

const dir = new URL("../../../internal/beacon/testdata/", import.meta.url);
const samples = JSON.parse(readFileSync(new URL("index.json", dir), "utf8")) as { file: string; code: string }[];

const codeOf = (body: Uint8Array): string => {
  try {
    decodeBatch(body);
    return "";
  } catch (err) {
    return err instanceof Refusal ? err.code : String(err);
  }
};

test.each(samples)("the sample $file is answered as the collector answers it: '$code'", ({ file, code }) => {
  expect(codeOf(readFileSync(new URL(file, dir)))).toBe(code);
});

test("there are samples of both kinds", () => {
  expect(samples.some((s) => s.code === "")).toBe(true);
  expect(samples.some((s) => s.code !== "")).toBe(true);
});
