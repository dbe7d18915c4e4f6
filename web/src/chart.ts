// The power chart: uPlot with our axes, colours and way of reading it. It draws
// steps, because a meter's value stands until the next one, and leaves gaps
// open. All styles are set through the DOM, as the page's policy demands.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { minuteOfDay, wattMark } from "./format";
import { palette } from "./theme";

/** What is drawn: one column of instants and the watts of the area and of the line above it; without a line, null. */
export interface ChartData {
  readonly fromMillis: number;
  readonly toMillis: number;
  readonly tMillis: readonly number[];
  readonly area: readonly (number | null)[];
  readonly line: readonly (number | null)[] | null;
}

/** The axis never shows less than this, so that a sleeping house is a flat line. */
const leastTopWatts = 20;
const axisFont = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

export class PowerChart {
  readonly #plot: uPlot;
  #data: ChartData | null = null;

  /** onScrub is called with the index of the instant under the pointer, and with null when there is none. */
  constructor(host: HTMLElement, onScrub: (index: number | null) => void) {
    this.#plot = new uPlot(options(host, () => this.#data, onScrub), [[], [], []], host);
    followTouch(this.#plot);
  }

  setData(data: ChartData): void {
    this.#data = data;
    const nothing = () => new Array<null>(data.tMillis.length).fill(null);
    this.#plot.batch(() => {
      this.#plot.setData([[...data.tMillis], [...data.area], data.line ? [...data.line] : nothing()], false);
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
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
    scales: {
      x: { time: true, auto: false },
      y: { range: (_plot, _min, max) => [0, Math.max(leastTopWatts, (max ?? 0) * 1.1)] },
    },
    axes: [
      { ...axis, size: 28, gap: 6, grid: { show: false }, space: 64, incrs: minutes, values: (_plot, at) => at.map(minuteOfDay) },
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
    ],
    hooks: {
      setCursor: [(plot) => onScrub(scrubbed(plot, data()))],
    },
  };
}

/** wholeGaps widens gaps by the line that rises at their end from the value before: nothing is known to have risen there. */
const wholeGaps: uPlot.Series.GapsRefiner = (_plot, _series, _from, _to, gaps) =>
  gaps.map(([from, to]) => [from, to + 2 * devicePixelRatio]);

/** Distances of the time axis's labels. */
const minutes = [1, 2, 5, 10, 15, 30, 60].map((minute) => minute * 60_000);

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
