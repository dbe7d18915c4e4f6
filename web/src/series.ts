// Power over time, pure: what was measured, where nothing was measured, and
// the sum of a house. A gap is a gap; nothing here turns silence into zero.

/** Samples by time, oldest first; null where the meter did not measure power. */
export interface Series {
  readonly tMillis: readonly number[];
  readonly watts: readonly (number | null)[];
}

/** A sample more than this many intervals after the one before has a gap in front, and a value older than this is stale. */
export const gapIntervals = 3;

/** A silent node is called offline after three missed heartbeats of 30 s; until then its last value counts for the house. */
export const houseHoldMillis = 90_000;

export const emptySeries: Series = { tMillis: [], watts: [] };

/** appendSample adds a sample that is newer than all others, and drops those before fromMillis. */
export function appendSample(series: Series, tMillis: number, watts: number | null, fromMillis: number): Series {
  if (tMillis <= (series.tMillis.at(-1) ?? -Infinity)) {
    return series;
  }
  const keep = series.tMillis.findIndex((t) => t >= fromMillis);
  const start = keep < 0 ? series.tMillis.length : keep;
  return { tMillis: [...series.tMillis.slice(start), tMillis], watts: [...series.watts.slice(start), watts] };
}

/** mergeSeries is the union of what is stored and what arrived meanwhile; at the same instant the stored sample wins. */
export function mergeSeries(stored: Series, live: Series): Series {
  const tMillis: number[] = [];
  const watts: (number | null)[] = [];
  let s = 0;
  let l = 0;
  while (s < stored.tMillis.length || l < live.tMillis.length) {
    const storedT = stored.tMillis[s] ?? Infinity;
    const liveT = live.tMillis[l] ?? Infinity;
    tMillis.push(Math.min(storedT, liveT));
    watts.push((storedT <= liveT ? stored.watts[s] : live.watts[l]) ?? null);
    if (storedT <= liveT) s++;
    if (liveT <= storedT) l++;
  }
  return { tMillis, watts };
}

/** standMillis says for how long each sample stands at the most. What was imported or kept may be coarser than what the meter is read at now; as in the hub, a sample stands up to three times as long as the one before did. */
export function standMillis({ tMillis }: Series, intervalMillis: number): number[] {
  const [t0 = 0, t1 = Infinity, t2 = Infinity] = tMillis;
  let stood = t2 === Infinity ? 0 : Math.min(t1 - t0, t2 - t1);
  return tMillis.map((t, i) => {
    const stands = gapIntervals * Math.max(intervalMillis, stood);
    stood = Math.min((tMillis[i + 1] ?? t) - t, stands);
    return stands;
  });
}

/** withGaps puts a null after every sample that is followed by a gap, when the next was due, so that a line breaks there. */
export function withGaps(series: Series, intervalMillis: number): Series {
  const tMillis: number[] = [];
  const watts: (number | null)[] = [];
  const stands = standMillis(series, intervalMillis);
  series.tMillis.forEach((t, i) => {
    const before = series.tMillis[i - 1];
    const stood = stands[i - 1];
    if (before !== undefined && stood !== undefined && t - before > stood) {
      tMillis.push(before + stood / gapIntervals);
      watts.push(null);
    }
    tMillis.push(t);
    watts.push(series.watts[i] ?? null);
  });
  return { tMillis, watts };
}

/** gridOf returns the multiples of stepMillis from the one at or before fromMillis to the one at or after toMillis. */
export function gridOf(fromMillis: number, toMillis: number, stepMillis: number): number[] {
  const first = Math.floor(fromMillis / stepMillis);
  const last = Math.ceil(toMillis / stepMillis);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * stepMillis);
}

/** One value of a series as it stood at an instant, how old it was, and how old it may become. */
interface Held {
  readonly watts: number | null;
  readonly ageMillis: number;
  readonly standMillis: number;
}

/** heldAt yields, for each instant of the grid, the newest sample at or before it. */
function* heldAt(series: Series, intervalMillis: number, grid: readonly number[]): Generator<Held> {
  const stands = standMillis(series, intervalMillis);
  let i = -1;
  for (const t of grid) {
    while ((series.tMillis[i + 1] ?? Infinity) <= t) i++;
    const at = series.tMillis[i];
    yield at === undefined
      ? { watts: null, ageMillis: Infinity, standMillis: 0 }
      : { watts: series.watts[i] ?? null, ageMillis: t - at, standMillis: stands[i] ?? 0 };
  }
}

/** resample gives a series at the instants of a grid, null within its gaps. */
export function resample(series: Series, intervalMillis: number, grid: readonly number[]): Series {
  const held = heldAt(series, intervalMillis, grid);
  const watts = Array.from(held, ({ watts, ageMillis, standMillis }) => (ageMillis <= standMillis ? watts : null));
  return { tMillis: grid, watts };
}

/** A device as the house's sum sees it. */
export interface Part {
  readonly series: Series;
  readonly intervalMillis: number;
  /** Whether the device counts now; if not, it ends with its last sample. */
  readonly counted: boolean;
}

/** houseTotal adds devices up on a grid. One that pauses keeps its last value as long as the hub calls it online; where none at all was heard, the house is not known. */
export function houseTotal(parts: readonly Part[], grid: readonly number[]): Series {
  const sums = new Array<number>(grid.length).fill(0);
  const fresh = new Array<boolean>(grid.length).fill(false);
  for (const part of parts) {
    const endMillis = part.counted ? Infinity : (part.series.tMillis.at(-1) ?? 0) + part.intervalMillis;
    let i = 0;
    for (const held of heldAt(part.series, part.intervalMillis, grid)) {
      const holdMillis = Math.max(held.standMillis, houseHoldMillis);
      if (held.watts !== null && held.ageMillis <= holdMillis && (grid[i] ?? 0) <= endMillis) {
        sums[i] = (sums[i] ?? 0) + held.watts;
        fresh[i] ||= held.ageMillis <= held.standMillis;
      }
      i++;
    }
  }
  return { tMillis: grid, watts: sums.map((sum, i) => (fresh[i] ? sum : null)) };
}
