// Power summed up in steps, pure: the hub leaves out what was not measured, and
// here the gaps come back, and several devices become one house.

/** One device's steps by their begin, oldest first, all columns of the same length; null where power was not measured. */
export interface Buckets {
  readonly tMillis: readonly number[];
  readonly mean: readonly (number | null)[];
  readonly min: readonly (number | null)[];
  readonly max: readonly (number | null)[];
}

export const noBuckets: Buckets = { tMillis: [], mean: [], min: [], max: [] };

/** A device as the house's sum sees it. */
export interface BucketPart {
  readonly buckets: Buckets;
  /** Whether it should be heard now: what is missing of it then is not known, and so is the house. */
  readonly online: boolean;
}

/** houseBuckets adds devices up, step by step. A device that is offline, or was not there yet, is left out; of one that should be there a missing step is a gap in the house. The extremes are those that the parts allow: they need not have come at the same time. */
export function houseBuckets(parts: readonly BucketPart[]): Buckets {
  const present = parts.filter((part) => part.buckets.tMillis.length > 0);
  const tMillis = unionOf(present.map((part) => part.buckets));
  const mean = tMillis.map<number | null>(() => 0);
  const min = [...mean];
  const max = [...mean];
  for (const { buckets, online } of present) {
    const indexOf = indexByBegin(buckets);
    const begin = buckets.tMillis[0] ?? Infinity;
    tMillis.forEach((t, i) => {
      const at = indexOf.get(t);
      if (at === undefined && (!online || t < begin)) return;
      mean[i] = plus(mean[i], valueAt(buckets.mean, at));
      min[i] = plus(min[i], valueAt(buckets.min, at));
      max[i] = plus(max[i], valueAt(buckets.max, at));
    });
  }
  return { tMillis, mean, min, max };
}

/** stepGrid returns the begins of all steps in these, and the end of each that no other follows, so that a line breaks there. */
export function stepGrid(all: readonly Buckets[], stepMillis: number): number[] {
  const begins = unionOf(all);
  return begins.flatMap((t, i) => (begins[i + 1] === t + stepMillis ? [t] : [t, t + stepMillis]));
}

/** onGrid gives buckets at the instants of a grid, null where there are none. The last one reaches to its end. */
export function onGrid(buckets: Buckets, grid: readonly number[]): Buckets {
  const indexOf = indexByBegin(buckets);
  const last = grid.length - 1;
  const places = grid.map((t, i) => indexOf.get(t) ?? (i === last ? indexOf.get(grid[i - 1] ?? NaN) : undefined));
  const column = (values: readonly (number | null)[]) => places.map((at) => valueAt(values, at));
  return { tMillis: grid, mean: column(buckets.mean), min: column(buckets.min), max: column(buckets.max) };
}

function unionOf(all: readonly Buckets[]): number[] {
  return [...new Set(all.flatMap((buckets) => buckets.tMillis))].sort((a, b) => a - b);
}

function indexByBegin(buckets: Buckets): Map<number, number> {
  return new Map(buckets.tMillis.map((t, i) => [t, i]));
}

function valueAt(values: readonly (number | null)[], at: number | undefined): number | null {
  return at === undefined ? null : (values[at] ?? null);
}

/** plus adds what is known; with an unknown the sum is unknown. */
function plus(a: number | null | undefined, b: number | null): number | null {
  return a == null || b === null ? null : a + b;
}
