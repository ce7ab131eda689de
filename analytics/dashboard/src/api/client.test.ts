import { describe as suite, expect, it } from "vitest";

import { ApiError, describe, unwrap } from "./client";

suite("describe", () => {
  it("prefers the case's detail, then a field, then what the status means", () => {
    expect(describe(422, { detail: "the name is empty" })).toBe("The name is empty.");
    expect(describe(422, { title: "Unprocessable", errors: [{ message: "expected length >= 1" }] })).toBe(
      "Expected length >= 1.",
    );
    expect(describe(404, { title: "Not Found" })).toMatch(/^There is nothing here/);
    expect(describe(418, { title: "Teapot" })).toBe("Teapot.");
    expect(describe(500)).toBe("The server answered with an error (500).");
  });
});

suite("unwrap", () => {
  it("returns data and turns refusals and silence into sentences", async () => {
    await expect(unwrap(Promise.resolve({ data: 1, response: new Response() }))).resolves.toBe(1);
    const refused = unwrap(Promise.resolve({ error: {}, response: new Response(null, { status: 403 }) }));
    await expect(refused).rejects.toMatchObject({ status: 403, message: /not allowed/ });
    await expect(unwrap(Promise.reject(new TypeError("fetch")))).rejects.toBeInstanceOf(ApiError);
  });
});
