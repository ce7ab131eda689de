import { describe, expect, it } from "vitest";

import * as uploads from "./uploads";

const file = () => uploads.begin("a", "film.mp4", 10_000);

describe("uploads", () => {
  it("measures the rate over the recent past only", () => {
    let u = uploads.progressed(file(), 0, 0);
    expect(uploads.rate(u)).toBeUndefined();
    for (let t = 1; t <= 20; t++) u = uploads.progressed(u, t < 10 ? 100 * t : 900 + (t - 9) * 500, t * 1000);
    expect(uploads.rate(u)).toBe(500);
    expect(uploads.secondsLeft(u)).toBe((10_000 - 6400) / 500);
    expect(uploads.share(u)).toBe(0.64);
  });

  it("waits through a lost connection and starts the rate anew", () => {
    let u = uploads.progressed(uploads.progressed(file(), 1000, 0), 5000, 1000);
    u = uploads.interrupted(u);
    expect(u.status).toBe("waiting");
    expect(uploads.rate(u)).toBeUndefined();
    u = uploads.progressed(u, 4000, 9000);
    expect(u).toMatchObject({ status: "uploading", sent: 4000, samples: [[9000, 4000]] });
  });

  it("ignores late progress after a pause, and goes on after resume", () => {
    let u = uploads.paused(uploads.progressed(file(), 1000, 0));
    expect(uploads.progressed(u, 2000, 10)).toBe(u);
    u = uploads.resumed(u);
    expect(u.status).toBe("queued");
    expect(uploads.progressed(u, 2000, 20).status).toBe("uploading");
  });

  it("does not pause what is done nor resume what runs", () => {
    const done = uploads.finished(file());
    expect(uploads.paused(done)).toBe(done);
    expect(uploads.resumed(done)).toBe(done);
    expect(uploads.share(done)).toBe(1);
    expect(uploads.share(uploads.finished(uploads.begin("b", "empty.mp4", 0)))).toBe(1);
  });

  it("words failures and what to do", () => {
    expect(uploads.failed(file(), 0, "").error).toMatch(/goes on where it stopped/);
    expect(uploads.failed(file(), 413, " The limit is\n2 GB. ").error).toBe("The limit is 2 GB.");
    expect(uploads.failed(file(), 418, "").error).toBe("The server refused the upload (418). Try again.");
    expect(uploads.resumed(uploads.failed(file(), 0, "")).error).toBeUndefined();
  });

  it("sums up", () => {
    const half = uploads.progressed(file(), 5000, 0);
    expect(uploads.overall([half, uploads.finished(file()), uploads.failed(file(), 0, "")])).toEqual({
      running: 1, failed: 1, done: 1, share: 0.5,
    });
    expect(uploads.overall([]).share).toBe(0);
  });
});
