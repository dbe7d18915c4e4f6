// What a chart shows of the house or of a device over a range, out of the
// page's state.
import type { ChartData } from "./chart";
import { houseBuckets, onGrid, stepGrid, type Buckets } from "./buckets";
import { span } from "./format";
import { stepRanges, type RangeName, type StepRange, type StepRangeName } from "./range";
import { resample, withGaps } from "./series";
import { allStored, housePower, pictureMillis, spanMillis, topEntries, type Entry } from "./state";

export interface Picture {
  readonly data: ChartData;
  /** The range in words, or that it is being fetched. */
  readonly title: string;
  /** Why there is nothing to see; "" otherwise. */
  readonly failure: string;
}

/** housePicture is the house with one device over it, or with none. */
export function housePicture(range: RangeName, over: Entry | undefined): Picture {
  if (range === "1h") return lastHour(houseHour(over));
  const shown = over ? [...topEntries.value, over] : topEntries.value;
  return stepPicture(range, shown, () => {
    const house = houseBuckets(topEntries.value.map((entry) => ({ buckets: past(entry, range), online: entry.device.peek().online })));
    return { area: house, line: over ? past(over, range) : null };
  });
}

/** devicePicture is one device alone. */
export function devicePicture(range: RangeName, entry: Entry): Picture {
  if (range === "1h") return lastHour(deviceHour(entry));
  return stepPicture(range, [entry], () => ({ area: past(entry, range), line: null }));
}

function lastHour(data: ChartData): Picture {
  return { data, title: allStored.value ? `last ${span(spanMillis.value)}` : "loading the last hour…", failure: "" };
}

function houseHour(over: Entry | undefined): ChartData {
  const total = housePower.value;
  const line = over ? resample(over.power.value, over.device.peek().interval_ms, total.tMillis).watts : null;
  return { ...hourFrame(), tMillis: total.tMillis, area: total.watts, line, band: null };
}

function deviceHour(entry: Entry): ChartData {
  const { tMillis, watts } = withGaps(entry.power.value, entry.device.value.interval_ms);
  return { ...hourFrame(), tMillis, area: watts, line: null, band: null };
}

function hourFrame(): { range: "1h"; fromMillis: number; toMillis: number } {
  const to = pictureMillis.value;
  return { range: "1h", fromMillis: to - spanMillis.value, toMillis: to };
}

interface Steps {
  readonly area: Buckets;
  readonly line: Buckets | null;
}

/** stepPicture waits until every device shown is known: a house without one of its parts would be another house. */
function stepPicture(name: StepRangeName, shown: readonly Entry[], steps: () => Steps): Picture {
  const range = stepRanges[name];
  const pasts = shown.map((entry) => entry.past[name].value);
  const missing = pasts.filter((p) => !p.known);
  const failure = missing.find((p) => p.failure !== "")?.failure ?? "";
  if (missing.length > 0) {
    const title = failure === "" ? `loading the ${range.words}…` : range.words;
    return { data: stepData(range, null), title, failure };
  }
  const made = steps();
  const empty = made.area.tMillis.length === 0;
  return { data: stepData(range, made), title: empty ? `nothing measured in the ${range.words}` : range.words, failure: "" };
}

/** stepData moves on by whole steps, so that the chart stands still in between. */
function stepData(range: StepRange, steps: Steps | null): ChartData {
  const toMillis = Math.ceil(pictureMillis.value / range.stepMillis) * range.stepMillis;
  const frame = { range: range.name, fromMillis: toMillis - range.spanMillis, toMillis };
  if (steps === null) return { ...frame, tMillis: [], area: [], line: null, band: null };
  const grid = stepGrid(steps.line ? [steps.area, steps.line] : [steps.area], range.stepMillis);
  const area = onGrid(steps.area, grid);
  const line = steps.line && onGrid(steps.line, grid).mean;
  return { ...frame, tMillis: grid, area: area.mean, line, band: { min: area.min, max: area.max } };
}

function past(entry: Entry, range: StepRangeName): Buckets {
  return entry.past[range].value.buckets;
}
