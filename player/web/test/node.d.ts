// The few parts of Node that the tests use, so that no types package is needed.
declare module "node:fs" {
  export function readFileSync(path: URL): Uint8Array;
  export function readFileSync(path: URL, encoding: "utf8"): string;
  export function mkdtempSync(prefix: string): string;
  export function rmSync(path: string, options: { recursive: boolean }): void;
}
declare module "node:os" {
  export function tmpdir(): string;
}
