import { useComputed, useSignal, useSignalEffect, type ReadonlySignal, type Signal } from "@preact/signals";
import { after, before, datesOf, periodName, periods, type Period } from "../calendar";
import { barsOf, sharesOf, usedBy, type Bar } from "../energy";
import { amount, energy, text } from "../format";
import { deviceHref, route, showEnergy } from "../route";
import { childrenOf, connections, decisions, pictureMillis, todaysDate, type Entry } from "../state";
import { keepEnergy, type PeriodEnergy } from "../sync";
import { Decisions } from "./decisions";
import { EnergyBars } from "./energy-bars";
import { BackIcon } from "./icons";

/** What is known of the period that is shown. */
interface Known {
  /** Of which period it is; another is still to come. */
  readonly of: string;
  readonly energy: PeriodEnergy | null;
  readonly failure: string;
}

/** What a device used: a day by hours, a week or a month by days, and in all. */
export function EnergyCard({ entry }: { entry: Entry }) {
  const known = useKnown(entry);
  const pointed = useSignal<Bar | null>(null);
  const today = todaysDate.value;
  const { period, date } = route.value.energy;
  if (today === null) return <section class="card energy skeleton" aria-busy="true" aria-label="Energy" />;
  const bars = barsOf(known.value.energy?.steps ?? null, entry.id, period, pictureMillis.value);
  return (
    <section class="card energy" aria-label="Energy">
      <div class="energy-head">
        <h2>Energy</h2>
        <PeriodSwitch />
      </div>
      <Steps period={period} date={date ?? today} today={today} />
      <Total entry={entry} known={known} pointed={pointed} whole={bars.every((bar) => bar.gap <= 0.01)} />
      <EnergyBars period={period} dates={datesOf(period, date ?? today)} bars={bars} pointed={pointed} busy={known.value.energy === null} />
      <Legend bars={bars} />
      <Shares entry={entry} known={known} />
      <Decisions id={entry.id} />
    </section>
  );
}

/** useKnown keeps the period in the address up to date while it is seen. */
function useKnown(entry: Entry): ReadonlySignal<Known> {
  const parent = useComputed(() => childrenOf(entry.id).length > 0);
  const shown = useComputed(() => {
    const { period, date } = route.value.energy;
    return todaysDate.value === null ? "" : [period, date ?? "", todaysDate.value].join(" ");
  });
  const known = useSignal<Known>({ of: "", energy: null, failure: "" });
  useSignalEffect(() => {
    const [period, date, today] = shown.value.split(" ") as [Period, string, string];
    if (shown.value === "" || connections.value + decisions.value === 0) return;
    const of = shown.value;
    if (known.peek().of !== of) known.value = { of, energy: null, failure: "" };
    return keepEnergy(entry.id, { period, date: date || null }, today, parent.value, (energy, failure) => {
      known.value = { of, energy: energy ?? known.peek().energy, failure };
    });
  });
  return known;
}

const periodWords: Record<Period, string> = { day: "Day", week: "Week", month: "Month" };

function PeriodSwitch() {
  const { period, date } = route.value.energy;
  return (
    <div class="ranges" role="group" aria-label="Period of the energy">
      {periods.map((other) => (
        <button
          key={other}
          type="button"
          class="range"
          data-testid={`period-${other}`}
          aria-pressed={other === period}
          onClick={() => showEnergy({ period: other, date })}
        >
          {periodWords[other]}
        </button>
      ))}
    </div>
  );
}

/** Moves to the period before, and to the one after unless that is still to come. */
function Steps({ period, date, today }: { period: Period; date: string; today: string }) {
  const next = after(period, date);
  return (
    <div class="energy-steps">
      <button type="button" class="step" aria-label={`The ${period} before`} onClick={() => showEnergy({ period, date: before(period, date) })}>
        <BackIcon />
      </button>
      <p class="energy-when" data-testid="energy-when" role="status">
        {periodName(period, date, today)}
      </p>
      <button
        type="button"
        class="step step-on"
        aria-label={`The ${period} after`}
        disabled={next > today}
        onClick={() => showEnergy({ period, date: datesOf(period, today).from === next ? null : next })}
      >
        <BackIcon />
      </button>
    </div>
  );
}

interface TotalProps {
  readonly entry: Entry;
  readonly known: ReadonlySignal<Known>;
  readonly pointed: Signal<Bar | null>;
  /** Whether nothing is missing. */
  readonly whole: boolean;
}

/** The energy and the cost of all of the period, or of the bar that is pointed at. */
function Total({ entry, known, pointed, whole }: TotalProps) {
  const answer = known.value.energy;
  const used = usedBy(answer?.steps ?? null, entry.id);
  const bar = pointed.value;
  const shown = bar ?? used;
  return (
    <div class="energy-total">
      <p class="energy-kwh" data-testid="energy-total" data-wh={used?.wh}>
        {shown === null || shown.wh === null ? (answer === null ? "\u00a0" : "–") : text(energy(shown.wh))}
        {shown?.cost && <span class="energy-cost"> · {amount(shown.cost)}</span>}
      </p>
      <p class="soft" role="status">
        {bar ? `${bar.name}${aboutBar(bar)}` : aboutAll(known.value, used === null ? "nothing was measured in this time" : whole ? "in all" : "in all of the time that is known")}
      </p>
    </div>
  );
}

const qualityWords: Partial<Record<Bar["quality"], string>> = {
  interpolated: "where in the time is estimated",
  "reset-boundary": "the counter began anew",
  corrected: "corrected by somebody",
  quarantined: "some is held back",
};

function aboutBar(bar: Bar): string {
  if (bar.wh === null) return ": nothing is known";
  const words = qualityWords[bar.quality];
  return `${words ? `: ${words}` : ""}${bar.gap > 0.01 ? `, ${Math.round(bar.gap * 100)} % not known` : ""}`;
}

function aboutAll({ energy: answer, failure }: Known, words: string): string {
  if (failure !== "") return `Not up to date: ${failure}`;
  return answer === null ? "loading…" : words;
}

/** Explains the marks of those bars that have one. */
function Legend({ bars }: { bars: readonly Bar[] }) {
  const has = (quality: Bar["quality"]) => bars.some((bar) => bar.quality === quality);
  const gaps = bars.some((bar) => bar.gap > 0.01);
  const marks: [string, string, boolean][] = [
    ["interpolated", "right in sum, its place in time estimated", has("interpolated") || has("reset-boundary")],
    ["corrected", "corrected by somebody", has("corrected")],
    ["quarantined", "more was counted than can be true; it waits for a decision", has("quarantined")],
    ["absent", "nothing known, which is not zero", gaps],
  ];
  if (!marks.some(([, , shown]) => shown)) return null;
  return (
    <ul class="energy-legend">
      {marks.filter(([, , shown]) => shown).map(([quality, words]) => (
        <li key={quality} data-quality={quality}>
          {words}
        </li>
      ))}
    </ul>
  );
}

/** Where a parent's energy went: its children, and what none of them measured. Nothing for the others. */
function Shares({ entry, known }: { entry: Entry; known: ReadonlySignal<Known> }) {
  const whole = known.value.energy?.whole ?? null;
  const shares = sharesOf(whole, entry.id);
  const most = Math.max(1, ...shares.map((share) => share.wh ?? 0));
  if (shares.length === 0) return null;
  return (
    <table class="shares">
      <caption>Where it went</caption>
      <tbody>
        {shares.map((share) => (
          <tr key={share.id} data-rest={share.id === null} data-testid={`share-${share.id ?? "rest"}`} data-wh={share.wh}>
            <th scope="row">
              {share.id === null ? share.name : <a href={deviceHref(share.id, route.value.range, route.value.energy)}>{share.name}</a>}
              {!share.complete && <small> something is missing below</small>}
            </th>
            <td class="share-bar">
              <span style={{ width: `${(100 * Math.max(0, share.wh ?? 0)) / most}%` }} />
            </td>
            <td>
              {share.wh === null ? "–" : text(energy(share.wh))}
              {share.withinWh !== null && <small>±&nbsp;{text(energy(share.withinWh))}</small>}
            </td>
            {shares.some((other) => other.cost) && <td>{share.cost ? amount(share.cost) : "–"}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
