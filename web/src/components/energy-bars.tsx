import type { Signal } from "@preact/signals";
import { datesIn, dayOfMonth, weekdayName, type Dates, type Period } from "../calendar";
import { scaleOf, type Bar } from "../energy";
import { amount, energy, energyMark, text } from "../format";
import { showEnergy } from "../route";

interface Props {
  readonly period: Period;
  readonly dates: Dates;
  readonly bars: readonly Bar[];
  /** The bar under the pointer or the focus. */
  readonly pointed: Signal<Bar | null>;
  readonly busy: boolean;
}

/** Energy in bars, of which each leads to its day. What is not known is hatched, and what has not come yet is empty. */
export function EnergyBars({ period, dates, bars, pointed, busy }: Props) {
  const scale = scaleOf(bars);
  const labels = labelsOf(period, dates, bars);
  return (
    <div class="bars" data-period={period} data-testid="bars" data-shown={busy ? "" : `${period} ${dates.from}`} aria-busy={busy}>
      <div class="bars-marks" aria-hidden="true">
        {scale.marksWh.map((mark) => (
          <span key={mark} style={{ bottom: `${(100 * mark) / scale.topWh}%` }}>
            <b>{energyMark(mark)}</b>
          </span>
        ))}
      </div>
      <ol class="bars-columns" onPointerLeave={() => (pointed.value = null)}>
        {labels.map((label, i) => (
          <Column key={i} label={label} bar={bars[i]} topWh={scale.topWh} period={period} pointed={pointed} />
        ))}
      </ol>
    </div>
  );
}

/** labelsOf names the places of a period: there are as many as dates, or as hours in a day, which has 23 or 25 of them when clocks are set. */
function labelsOf(period: Period, dates: Dates, bars: readonly Bar[]): string[] {
  if (period !== "day") return datesIn(dates).map((date) => (period === "week" ? weekdayName(date) : dayOfMonth(date)));
  const places = bars.length >= 23 ? bars.length : 24;
  return Array.from({ length: places }, (_, i) => bars[i]?.label ?? String(i));
}

interface ColumnProps {
  readonly label: string;
  readonly bar: Bar | undefined;
  readonly topWh: number;
  readonly period: Period;
  readonly pointed: Signal<Bar | null>;
}

function Column({ label, bar, topWh, period, pointed }: ColumnProps) {
  const look = () => (pointed.value = bar ?? null);
  return (
    <li>
      {bar ? (
        <button
          type="button"
          class="column"
          data-quality={bar.quality}
          data-wh={bar.wh}
          aria-label={wordsOf(bar)}
          onPointerEnter={look}
          onFocus={look}
          onBlur={() => (pointed.value = null)}
          onClick={() => (period === "day" ? look() : showEnergy({ period: "day", date: bar.date }))}
        >
          {bar.gap > 0.01 && <span class="gap" style={{ width: `${Math.max(12, 100 * bar.gap)}%` }} />}
          {bar.wh !== null && <span class="bar" style={{ height: `${(100 * bar.wh) / topWh}%` }} />}
        </button>
      ) : (
        <span class="column" />
      )}
      <span class="column-label" aria-hidden="true">
        {label}
      </span>
    </li>
  );
}

function wordsOf(bar: Bar): string {
  if (bar.wh === null) return `${bar.name}: nothing is known`;
  return `${bar.name}: ${text(energy(bar.wh))}${bar.cost ? `, ${amount(bar.cost)}` : ""}${bar.quality === "measured" ? "" : `, ${bar.quality}`}`;
}
