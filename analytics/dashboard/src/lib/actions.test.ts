import { expect, test } from "vitest";

import { fresh, previewStart, problem, toPlayer, when } from "./actions";

test("an action for the player has its moment in one field", () => {
  expect(toPlayer({ ...fresh("gate"), id: "a" }, "b")).toMatchObject({ id: "b", type: "gate", at_seconds: "start" });
  expect(toPlayer({ ...fresh("annotation"), at_seconds: 7 }, "b")).toMatchObject({ at_seconds: 7 });
  expect(toPlayer(fresh("cta"), "b")).not.toHaveProperty("at");
});

test("what cannot be shown is said before it is sent", () => {
  const cta = { ...fresh("cta"), text: "Buy" };
  expect(problem(cta, 60)).toBe("");
  expect(problem({ ...cta, text: " " }, 60)).not.toBe("");
  expect(problem({ ...cta, url: "javascript:alert(1)" }, 60)).not.toBe("");
  expect(problem({ ...cta, url: "example.com" }, 60)).not.toBe("");
  expect(problem({ ...cta, at: "time", at_seconds: 60 }, 60)).not.toBe("");
});

test("moments are worded, and a preview starts just before them", () => {
  expect(when({ at: "time", at_seconds: 65 })).toBe("At 1:05");
  expect(previewStart({ ...fresh("cta"), at: "time", at_seconds: 30 }, 60)).toBe(29);
  expect(previewStart(fresh("cta"), 60)).toBe(58.5);
  expect(previewStart(fresh("gate"), 60)).toBe(0);
});
