import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { appendSample, emptySeries, gridOf, houseTotal, mergeSeries, resample, standMillis, withGaps, type Part, type Series } from "./series";

/** series makes one from pairs of seconds and watts. */
function series(...samples: [seconds: number, watts: number | null][]): Series {
  return { tMillis: samples.map(([t]) => t * 1000), watts: samples.map(([, w]) => w) };
}

test("three missed intervals make a gap, and one null stands in it", () => {
  const whole = series([0, 80], [5, 81], [20, 82]);
  deepEqual(withGaps(whole, 5000), whole);
  deepEqual(withGaps(series([0, 80], [15.001, 82]), 5000), series([0, 80], [5, null], [15.001, 82]));
  deepEqual(withGaps(emptySeries, 5000), emptySeries);
});

test("what is coarser than the meter is read at now has no gaps for that", () => {
  const imported = series([0, 80], [5, 80], [10, 80], [11, 81], [12, 81]);
  deepEqual(withGaps(imported, 1000), imported);
  deepEqual(standMillis(imported, 1000), [15_000, 15_000, 15_000, 3_000, 3_000]);
  deepEqual(resample(imported, 1000, gridOf(0, 12_000, 4000)).watts, [80, 80, 80, 81]);
  deepEqual(houseTotal([{ ...part(imported), intervalMillis: 1000 }], [4_000, 9_000, 15_000, 16_000]).watts, [80, 80, 81, null]);
});

test("a gap in what is coarse is still a gap, even after another", () => {
  const gapped = series([0, 80], [5, 80], [10, 80], [100, 80], [190, 80], [195, 80]);
  deepEqual(withGaps(gapped, 1000).tMillis, [0, 5, 10, 15, 100, 115, 190, 195].map((t) => t * 1000));
});

test("a new sample is appended, a known or older one is not, and what is too old goes", () => {
  const known = series([0, 80], [5, 81]);
  deepEqual(appendSample(known, 10_000, 82, 0), series([0, 80], [5, 81], [10, 82]));
  equal(appendSample(known, 5_000, 99, 0), known);
  equal(appendSample(known, 3_000, 99, 0), known);
  deepEqual(appendSample(known, 10_000, 82, 5_000), series([5, 81], [10, 82]));
  deepEqual(appendSample(known, 10_000, null, 10_000), series([10, null]));
  deepEqual(appendSample(emptySeries, 10_000, 82, 0), series([10, 82]));
});

test("stored and live samples become one series, and the stored one wins", () => {
  deepEqual(mergeSeries(series([0, 80], [5, 81]), series([5, 99], [10, 82])), series([0, 80], [5, 81], [10, 82]));
  deepEqual(mergeSeries(series([5, null]), series([0, 1], [5, 99])), series([0, 1], [5, null]));
  deepEqual(mergeSeries(emptySeries, series([0, 1])), series([0, 1]));
  deepEqual(mergeSeries(series([0, 1]), emptySeries), series([0, 1]));
});

test("a grid has round instants and covers its span", () => {
  deepEqual(gridOf(12_000, 21_000, 5000), [10_000, 15_000, 20_000, 25_000]);
  deepEqual(gridOf(10_000, 20_000, 5000), [10_000, 15_000, 20_000]);
});

test("resampling holds a value for three intervals and then leaves a gap", () => {
  const grid = gridOf(0, 30_000, 5000);
  deepEqual(resample(series([4, 80], [28, 90]), 5000, grid).watts, [null, 80, 80, 80, null, null, 90]);
});

function part(samples: Series, counted = true): Part {
  return { series: samples, intervalMillis: 5000, counted };
}

/** steady is a device that draws the same from one second to another. */
function steady(watts: number, fromSeconds: number, toSeconds: number): Series {
  const samples: [number, number][] = [];
  for (let t = fromSeconds; t <= toSeconds; t += 5) samples.push([t, watts]);
  return series(...samples);
}

test("the house is the sum of its devices, whenever each of them reports", () => {
  const grid = gridOf(10_000, 20_000, 5000);
  deepEqual(houseTotal([part(steady(80, 1, 20)), part(steady(5.5, 3, 20))], grid).watts, [85.5, 85.5, 85.5]);
});

test("a device that pauses keeps its last value for as long as it is called online", () => {
  const grid = [95_000, 100_000, 105_000];
  const house = houseTotal([part(steady(100, 0, 110)), part(steady(80, 0, 10))], grid);
  deepEqual(house.watts, [180, 180, 100]);
});

test("a device that does not count ends with its last sample", () => {
  const grid = gridOf(10_000, 20_000, 5000);
  deepEqual(houseTotal([part(steady(100, 0, 20)), part(steady(80, 0, 10), false)], grid).watts, [180, 180, 100]);
});

test("where nothing was heard the house is not known, which is not 0 W", () => {
  const grid = gridOf(0, 60_000, 5000);
  const hubWasDown = { tMillis: [0, 5_000, 50_000, 55_000, 60_000], watts: [80, 80, 80, 80, 80] };
  deepEqual(houseTotal([part(hubWasDown)], grid).watts, [80, 80, 80, 80, 80, null, null, null, null, null, 80, 80, 80]);
  deepEqual(houseTotal([], [0, 5000]).watts, [null, null]);
  deepEqual(houseTotal([part(series([0, null]))], [0]).watts, [null]);
});
