import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { Refetch } from "./refetch";

const minute = 60_000;
/** Some instant 10 s into a minute and a quarter of an hour. */
const opened = 1_800_000_000_000 + 10_000;

/** past is n points that were there before the past was opened. */
const past = (n: number) => Array.from({ length: n }, (_, i) => opened - (n - i) * minute);

/** waits asks as often as told, with the number of points each time, and returns the seconds between. */
function waits(stepMillis: number, counts: readonly number[]): number[] {
  const refetch = new Refetch(opened, stepMillis);
  let now = opened;
  return counts.map((count) => {
    const wait = refetch.next(now, past(count));
    now += wait;
    return wait / 1000;
  });
}

test("a past that grows is asked for every 3 s in its first minute, and then once a step", () => {
  const growing = Array.from({ length: 22 }, (_, i) => i);
  const seconds = waits(15 * minute, growing);
  deepEqual(seconds.slice(0, 20), new Array(20).fill(3));
  deepEqual(seconds.slice(20), [15 * 60 - 62, 15 * 60]);
});

test("a past that does not grow is soon left alone", () => {
  deepEqual(waits(15 * minute, [5, 5, 5, 5, 5, 5]), [3, 6, 12, 24, 15 * 60 - 47, 15 * 60]);
});

test("a step that passes is asked for 8 s after its end", () => {
  deepEqual(waits(minute, [5, 5, 5, 5, 5, 5]), [3, 6, 12, 24, 13, 60]);
});

test("a past that is live is not asked for again once it came in", () => {
  deepEqual(waits(Infinity, [1, 2, 2, 2, 2]), [3, 3, 6, 12, 24]);
  const refetch = new Refetch(opened, Infinity);
  equal(refetch.next(opened + minute, past(3)), Infinity);
});

test("what came since the opening is not growth", () => {
  const refetch = new Refetch(opened, Infinity);
  equal(refetch.next(opened, past(3)), 3_000);
  equal(refetch.next(opened + 3_000, [...past(3), opened + 1_000]), 6_000);
});
