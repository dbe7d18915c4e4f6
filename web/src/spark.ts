// A sparkline's path, pure: power over time in a few dozen steps.
import { standMillis, type Series } from "./series";

/** Below this a device counts as idle, and its noise must not look like a mountain. */
const floorWatts = 10;

/** One step of the line: the highest value within a column. */
interface Step {
  readonly x: number;
  watts: number;
  /** Whether the line continues from the step before; if not, there was a gap. */
  readonly joined: boolean;
}

/** sparkPath draws what lies within fromMillis and toMillis as an SVG path in a box of columns x height. It is "" when nothing does. */
export function sparkPath(
  series: Series,
  intervalMillis: number,
  fromMillis: number,
  toMillis: number,
  columns: number,
  height: number,
): string {
  const columnMillis = (toMillis - fromMillis) / columns;
  const steps: Step[] = [];
  const stands = standMillis(series, intervalMillis);
  let before = { millis: -Infinity, stands: 0 };
  series.tMillis.forEach((t, i) => {
    const watts = series.watts[i] ?? null;
    if (watts === null || t < fromMillis || t > toMillis) return;
    const x = Math.floor((t - fromMillis) / columnMillis);
    const last = steps.at(-1);
    if (last?.x === x) {
      last.watts = Math.max(last.watts, watts);
    } else {
      steps.push({ x, watts, joined: t - before.millis <= before.stands });
    }
    before = { millis: t, stands: stands[i] ?? 0 };
  });
  return path(steps, height);
}

function path(steps: readonly Step[], height: number): string {
  const top = steps.reduce((max, step) => Math.max(max, step.watts), floorWatts);
  return steps
    .map(({ x, watts, joined }) => {
      const y = Math.round((height - 1 - (watts / top) * (height - 2)) * 10) / 10;
      return joined ? `H${x}V${y}` : `M${x} ${y}h1`;
    })
    .join("");
}
