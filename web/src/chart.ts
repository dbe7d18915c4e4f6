// The power chart: uPlot with our axes, colours and way of reading it. It draws
// steps, because a meter's value stands until the next one, and leaves gaps
// open. All styles are set through the DOM, as the page's policy demands.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { dayMark, minuteOfDay, wattMark } from "./format";
import type { RangeName } from "./range";
import { palette } from "./theme";

/** What is drawn: one column of instants, the watts of the area, and what lies over it if anything does: a line, and the band between the extremes. */
export interface ChartData {
  readonly range: RangeName;
  readonly fromMillis: number;
  readonly toMillis: number;
  readonly tMillis: readonly number[];
  readonly area: readonly (number | null)[];
  readonly line: readonly (number | null)[] | null;
  readonly band: { readonly min: readonly (number | null)[]; readonly max: readonly (number | null)[] } | null;
}

/** The axis never shows less than this, so that a sleeping house is a flat line. */
const leastTopWatts = 20;
const axisFont = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

export class PowerChart {
  readonly #plot: uPlot;
  #data: ChartData | null = null;

  /** onScrub is called with the index of the instant under the pointer, and with null when there is none. */
  constructor(host: HTMLElement, onScrub: (index: number | null) => void) {
    this.#plot = new uPlot(options(host, () => this.#data, onScrub), [[], [], [], [], []], host);
    followTouch(this.#plot);
  }

  setData(data: ChartData): void {
    this.#data = data;
    const column = (values: readonly (number | null)[] | undefined) => values ? [...values] : new Array<null>(data.tMillis.length).fill(null);
    const { tMillis, area, line, band } = data;
    this.#plot.batch(() => {
      this.#plot.setData([[...tMillis], [...area], column(line ?? undefined), column(band?.min), column(band?.max)], false);
      this.#plot.setScale("x", { min: data.fromMillis, max: data.toMillis });
    });
  }

  /** scrub moves to the instant with this index, or away with null. */
  scrub(index: number | null): void {
    const t = index === null ? undefined : this.#data?.tMillis[index];
    const left = t === undefined ? -1 : this.#plot.valToPos(t, "x");
    this.#plot.setCursor({ left, top: left });
  }

  resize(width: number, height: number): void {
    if (width > 0 && (width !== this.#plot.width || height !== this.#plot.height)) {
      this.#plot.setSize({ width, height });
    }
  }

  /** recolour takes the colours of the present theme. */
  recolour(): void {
    this.#plot.redraw(false, true);
  }

  destroy(): void {
    this.#plot.destroy();
  }
}

function options(
  host: HTMLElement,
  data: () => ChartData | null,
  onScrub: (index: number | null) => void,
): uPlot.Options {
  const stepped = uPlot.paths.stepped?.({ align: 1 });
  const steps = { gaps: wholeGaps, ...(stepped && { paths: stepped }) };
  const axis = {
    stroke: () => palette.peek().ink,
    font: axisFont,
    grid: { stroke: () => palette.peek().line, width: 1 },
    ticks: { show: false },
  };
  return {
    width: host.clientWidth || 300,
    height: host.clientHeight || 200,
    ms: 1,
    padding: [8, 20, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
    scales: {
      x: { time: true, auto: false },
      y: { range: (_plot, _min, max) => [0, Math.max(leastTopWatts, (max ?? 0) * 1.1)] },
    },
    axes: [
      { ...axis, size: 28, gap: 6, grid: { show: false }, space: 64, incrs: distances, values: timeMarks },
      { ...axis, size: 58, gap: 6, space: 36, values: (_plot, at) => at.map(wattMark) },
    ],
    series: [
      {},
      {
        stroke: () => palette.peek().consumption,
        fill: () => palette.peek().consumptionArea,
        width: 1.5,
        points: { show: false },
        ...steps,
      },
      { stroke: () => palette.peek().selected, width: 1.5, points: { show: false }, ...steps },
      { points: { show: false }, ...steps },
      { points: { show: false }, ...steps },
    ],
    bands: [{ series: [4, 3], fill: () => palette.peek().consumptionBand }],
    hooks: {
      setCursor: [(plot) => onScrub(scrubbed(plot, data()))],
    },
  };
}

/** wholeGaps widens gaps by the line that rises at their end from the value before: nothing is known to have risen there. */
const wholeGaps: uPlot.Series.GapsRefiner = (_plot, _series, _from, _to, gaps) =>
  gaps.map(([from, to]) => [from, to + 2 * devicePixelRatio]);

/** Distances of the time axis's labels. */
const dayMillis = 24 * 60 * 60_000;
const distances = [
  ...[1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360].map((minute) => minute * 60_000),
  ...[1, 2].map((day) => day * dayMillis),
];

const timeMarks: uPlot.Axis.DynamicValues = (_plot, at, _axis, _space, distance) => at.map(distance < dayMillis ? minuteOfDay : dayMark);

function scrubbed(plot: uPlot, data: ChartData | null): number | null {
  const { left, idx } = plot.cursor;
  return data === null || left === undefined || left < 0 || idx === null || idx === undefined ? null : idx;
}

/** followTouch lets a finger scrub; uPlot itself follows only a mouse. A vertical stroke still scrolls the page. */
function followTouch(plot: uPlot): void {
  plot.over.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") {
      const box = plot.over.getBoundingClientRect();
      plot.setCursor({ left: event.clientX - box.left, top: 1 });
    }
  });
}
