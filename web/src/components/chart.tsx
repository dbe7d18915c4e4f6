import { useComputed, useSignal, useSignalEffect, type ReadonlySignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { PowerChart, type ChartData } from "../chart";
import { dayMark, minuteOfDay, power, secondOfDay, text } from "../format";
import type { Picture } from "../picture";
import { route } from "../route";
import { connections } from "../state";
import { keepPast } from "../sync";
import { palette } from "../theme";
import { RangeSwitch } from "./range-switch";

/** Points that an arrow key moves by. */
const keyStep = 12;

interface Props {
  readonly picture: ReadonlySignal<Picture>;
  /** The devices that the picture is made of, which are fetched while it is seen. */
  readonly shown: ReadonlySignal<readonly string[]>;
  readonly areaName: string;
  /** null when only the area is drawn. */
  readonly lineName: string | null;
}

/** Power over the range in the address, with a line above it that tells the value under the mouse, the finger or the arrow keys. */
export function Chart({ picture, shown, areaName, lineName }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<PowerChart | null>(null);
  const scrubbed = useSignal<number | null>(null);
  const attempts = useKeptPast(shown);
  const data = useComputed(() => picture.value.data);
  const title = useComputed(() => picture.value.title);

  useEffect(() => {
    const box = host.current as HTMLDivElement;
    const made = new PowerChart(box, (index) => (scrubbed.value = index));
    made.setData(data.peek());
    chart.current = made;
    const observer = new ResizeObserver(() => made.resize(box.clientWidth, box.clientHeight));
    observer.observe(box);
    return () => {
      observer.disconnect();
      made.destroy();
      chart.current = null;
    };
  }, []);
  useSignalEffect(() => {
    const newest = data.value;
    chart.current?.setData(newest);
  });
  useSignalEffect(() => {
    if (palette.value) chart.current?.recolour();
  });

  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowLeft: -keyStep, ArrowRight: keyStep }[event.key];
    const last = data.peek().tMillis.length - 1;
    if (event.key === "Escape") chart.current?.scrub(null);
    if (step === undefined || last < 0) return;
    event.preventDefault();
    chart.current?.scrub(Math.min(last, Math.max(0, (scrubbed.peek() ?? last) + step)));
  };

  return (
    <div class="chart">
      <div class="chart-head">
        <Readout picture={picture} scrubbed={scrubbed} areaName={areaName} lineName={lineName} />
        <RangeSwitch />
      </div>
      <div
        ref={host}
        class="chart-host"
        data-testid="chart"
        tabIndex={0}
        role="img"
        aria-label={`Power, ${title.value}: ${areaName}${lineName === null ? "" : ` and ${lineName}`}. The arrow keys read it.`}
        onKeyDown={onKeyDown}
        onBlur={() => chart.current?.scrub(null)}
      />
      <Failure picture={picture} onRetry={() => attempts.value++} />
    </div>
  );
}

/** useKeptPast fetches the past of the devices shown while the range is a longer one, anew after each absence and each attempt. */
function useKeptPast(shown: ReadonlySignal<readonly string[]>) {
  const attempts = useSignal(0);
  const range = useComputed(() => route.value.range);
  const ids = useComputed(() => shown.value.join("\n"));
  useSignalEffect(() => {
    if (range.value === "1h" || connections.value + attempts.value === 0) return;
    return keepPast(range.value, ids.value.split("\n"));
  });
  return attempts;
}

/** Says why there is nothing to see, and what to do. */
function Failure({ picture, onRetry }: { picture: ReadonlySignal<Picture>; onRetry: () => void }) {
  const { failure, title } = picture.value;
  if (failure === "") return null;
  return (
    <div class="chart-failure" role="alert">
      <p>
        The {title} could not be loaded: {failure}.
      </p>
      <button type="button" class="action" onClick={onRetry}>
        Try again
      </button>
    </div>
  );
}

/** Names the area and the line, and gives their values at the instant being read. */
function Readout({ picture, scrubbed, areaName, lineName }: Omit<Props, "shown"> & { scrubbed: ReadonlySignal<number | null> }) {
  const shown = useComputed(() => (scrubbed.value === null ? null : instantOf(picture.value.data, scrubbed.value)));
  const title = useComputed(() => picture.value.title);
  const at = shown.value;
  return (
    <p class="readout" aria-live="polite">
      <span class="readout-time">{at === null ? title : at.time}</span>
      <span class="key" data-series="area">
        {areaName} {at && <b>{wattsText(at.area)}</b>}
        {at?.extremes && <small> {at.extremes}</small>}
      </span>
      {lineName !== null && (
        <span class="key" data-series="line">
          {lineName} {at && <b>{wattsText(at.line)}</b>}
        </span>
      )}
    </p>
  );
}

interface Instant {
  readonly time: string;
  readonly area: number | null;
  readonly line: number | null;
  /** From the least to the most of a step; "" where there is none. */
  readonly extremes: string;
}

function instantOf(data: ChartData, index: number): Instant | null {
  const millis = data.tMillis[index];
  if (millis === undefined) return null;
  return {
    time: timeOf(data, Math.min(millis, data.toMillis)),
    area: data.area[index] ?? null,
    line: data.line?.[index] ?? null,
    extremes: extremesText(data.band?.min[index] ?? null, data.band?.max[index] ?? null),
  };
}

function timeOf(data: ChartData, millis: number): string {
  if (data.range === "1h") return secondOfDay(millis);
  return data.range === "24h" ? minuteOfDay(millis) : `${dayMark(millis)}, ${minuteOfDay(millis)}`;
}

function extremesText(min: number | null, max: number | null): string {
  return min === null || max === null || min === max ? "" : `${power(min).value} – ${text(power(max))}`;
}

function wattsText(watts: number | null): string {
  return watts === null ? "not known" : text(power(watts));
}
