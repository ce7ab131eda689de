import { makeHls } from "./hls-engine";
import { mountWith } from "./mount";

/** The player chunk for browsers with Media Source Extensions. */
export const mount = mountWith(makeHls);
