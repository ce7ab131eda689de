import { expect, test } from "vitest";

import { beyond } from "./strip";

test.each([
  ["all of it fits", 0, 400, 400, false, false],
  ["at its start", 0, 300, 400, false, true],
  ["in between", 50, 300, 400, true, true],
  ["at its end", 100, 300, 400, true, false],
  ["at its end, rounded", 99.6, 300, 400, true, false],
])("%s", (_, scrollLeft, clientWidth, scrollWidth, before, after) => {
  expect(beyond({ scrollLeft, clientWidth, scrollWidth })).toEqual({ before, after });
});
