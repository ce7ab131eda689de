import { createSubscriber } from "svelte/reactivity";

const subscribe = createSubscriber((update) => {
  const timer = setInterval(update, 15_000);
  return () => clearInterval(timer);
});

/** now is the current time in milliseconds, renewed a few times a minute where it is shown. */
export function now(): number {
  subscribe();
  return Date.now();
}
