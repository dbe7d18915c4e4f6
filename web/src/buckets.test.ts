import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { houseBuckets, noBuckets, onGrid, stepGrid, type Buckets } from "./buckets";

/** buckets makes some from pairs of begin and mean; they reach 1 W below and 10 W above. */
function buckets(...pairs: [t: number, mean: number | null][]): Buckets {
  const column = (more: number) => pairs.map(([, mean]) => (mean === null ? null : mean + more));
  return { tMillis: pairs.map(([t]) => t), mean: column(0), min: column(-1), max: column(10) };
}

const online = (b: Buckets) => ({ buckets: b, online: true });
const offline = (b: Buckets) => ({ buckets: b, online: false });

test("a step that none follows ends in a gap", () => {
  deepEqual(stepGrid([buckets([0, 1], [60, 1], [180, 1])], 60), [0, 60, 120, 180, 240]);
  deepEqual(stepGrid([buckets([0, 1]), buckets([60, 1])], 60), [0, 60, 120]);
  deepEqual(stepGrid([noBuckets], 60), []);
});

test("on a grid gaps are null, and the last step reaches to its end", () => {
  const own = buckets([0, 5], [180, 7]);
  deepEqual(onGrid(own, stepGrid([own], 60)), {
    tMillis: [0, 60, 180, 240],
    mean: [5, null, 7, 7],
    min: [4, null, 6, 6],
    max: [15, null, 17, 17],
  });
  deepEqual(onGrid(own, [0, 60, 120]).mean, [5, null, null]);
  deepEqual(onGrid(noBuckets, []), noBuckets);
});

test("a step without power is a gap, too", () => {
  const own = buckets([0, 5], [60, null], [120, 7]);
  deepEqual(onGrid(own, stepGrid([own], 60)).mean, [5, null, 7, 7]);
});

test("the house adds its devices step by step, extremes included", () => {
  deepEqual(houseBuckets([online(buckets([0, 5], [60, 6])), online(buckets([0, 100], [60, 200]))]), {
    tMillis: [0, 60],
    mean: [105, 206],
    min: [103, 204],
    max: [125, 226],
  });
});

test("what is missing of a device decides over the house", () => {
  const whole = buckets([0, 10], [60, 10], [120, 10]);
  const cases: [name: string, part: { buckets: Buckets; online: boolean }, want: (number | null)[]][] = [
    ["online with a gap: not known", online(buckets([0, 1], [120, 1])), [11, null, 11]],
    ["offline with a gap: left out", offline(buckets([0, 1], [120, 1])), [11, 10, 11]],
    ["offline since: left out", offline(buckets([0, 1])), [11, 10, 10]],
    ["online, not heard at the end: not known", online(buckets([0, 1])), [11, null, null]],
    ["not there yet: left out", online(buckets([120, 1])), [10, 10, 11]],
    ["power not measured: not known", online(buckets([0, 1], [60, null], [120, 1])), [11, null, 11]],
    ["never heard: left out", online(noBuckets), [10, 10, 10]],
  ];
  for (const [name, part, want] of cases) {
    deepEqual(houseBuckets([online(whole), part]).mean, want, name);
  }
});

test("a step that no device has is no step of the house", () => {
  deepEqual(houseBuckets([online(buckets([0, 1], [180, 2]))]).tMillis, [0, 180]);
  deepEqual(houseBuckets([]), noBuckets);
});
