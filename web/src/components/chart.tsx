import { useComputed, useSignal, useSignalEffect, type ReadonlySignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { PowerChart, type ChartData } from "../chart";
import { power, secondOfDay, span, text } from "../format";
import { allStored, spanMillis } from "../state";
import { palette } from "../theme";

/** Points that an arrow key moves by. */
const keyStep = 12;

interface Props {
  readonly data: ReadonlySignal<ChartData>;
  readonly areaName: string;
  /** null when only the area is drawn. */
  readonly lineName: string | null;
}

/** The power of the last hour with a line above it that tells the value under the mouse, the finger or the arrow keys. */
export function Chart({ data, areaName, lineName }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<PowerChart | null>(null);
  const scrubbed = useSignal<number | null>(null);

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
      <Readout data={data} scrubbed={scrubbed} areaName={areaName} lineName={lineName} />
      <div
        ref={host}
        class="chart-host"
        data-testid="chart"
        tabIndex={0}
        role="img"
        aria-label={`Power of the last ${span(spanMillis.value)}, ${areaName}${lineName === null ? "" : ` and ${lineName}`}. The arrow keys read it.`}
        onKeyDown={onKeyDown}
        onBlur={() => chart.current?.scrub(null)}
      />
    </div>
  );
}

/** Names the area and the line, and gives their values at the instant being read. */
function Readout({ data, scrubbed, areaName, lineName }: Props & { scrubbed: ReadonlySignal<number | null> }) {
  const shown = useComputed(() => (scrubbed.value === null ? null : instantOf(data.value, scrubbed.value)));
  const at = shown.value;
  return (
    <p class="readout" aria-live="polite">
      <span class="readout-time">{at === null ? (allStored.value ? `last ${span(spanMillis.value)}` : "loading the last hour…") : secondOfDay(at.millis)}</span>
      <span class="key" data-series="area">
        {areaName} {at && <b>{wattsText(at.area)}</b>}
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
  readonly millis: number;
  readonly area: number | null;
  readonly line: number | null;
}

function instantOf(data: ChartData, index: number): Instant | null {
  const millis = data.tMillis[index];
  if (millis === undefined) return null;
  return { millis: Math.min(millis, data.toMillis), area: data.area[index] ?? null, line: data.line?.[index] ?? null };
}

function wattsText(watts: number | null): string {
  return watts === null ? "not known" : text(power(watts));
}
