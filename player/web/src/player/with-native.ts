import { mountWith } from "./mount";
import { NativeEngine } from "./native-engine";

/** The player chunk for browsers whose own HLS is sound: those with ManagedMediaSource. */
export const mount = mountWith((events) => new NativeEngine(events));
