import { useComputed, useSignal, type ReadonlySignal, type Signal } from "@preact/signals";
import type { ChartData } from "../chart";
import { count, power } from "../format";
import { resample } from "../series";
import { allEntries, entryOf, house, housePower, pictureMillis, spanMillis, type Entry, type House } from "../state";
import { Chart } from "./chart";
import { Quantity } from "./figure";

/** The house's power now and over the last hour, with one device drawn over it if somebody picks one. */
export function Hero() {
  const picked = useSignal<string | null>(null);
  const data = useComputed(() => chartData(picked.value));
  const name = useComputed(() => (picked.value && entryOf(picked.value)?.device.value.name) || null);
  return (
    <section class="card hero" aria-label="The house">
      <HouseNow house={house} />
      <Chart data={data} areaName="House" lineName={name.value} />
      <Picker picked={picked} />
    </section>
  );
}

function HouseNow({ house }: { house: ReadonlySignal<House> }) {
  const { watts, counted, devices } = house.value;
  const note = counted === devices ? count(devices, "device") : `${counted} of ${count(devices, "device")}`;
  return (
    <div class="house">
      <h1>House now</h1>
      <p class="house-watts" data-testid="house-watts" data-watts={watts}>
        <Quantity figure={watts === null ? null : power(watts)} />
      </p>
      <p class="soft">{counted === 0 ? "no device is measuring" : note}</p>
    </div>
  );
}

function chartData(picked: string | null): ChartData {
  const total = housePower.value;
  const to = pictureMillis.value;
  const entry = picked === null ? undefined : entryOf(picked);
  return {
    fromMillis: to - spanMillis.value,
    toMillis: to,
    tMillis: total.tMillis,
    area: total.watts,
    line: entry ? resample(entry.power.value, entry.device.peek().interval_ms, total.tMillis).watts : null,
  };
}

/** Picks the device whose line is drawn over the house. */
function Picker({ picked }: { picked: Signal<string | null> }) {
  return (
    <div class="picker" role="group" aria-label="Draw a device over the house">
      {allEntries.value.map((entry) => (
        <Pick key={entry.id} entry={entry} picked={picked} />
      ))}
    </div>
  );
}

function Pick({ entry, picked }: { entry: Entry; picked: Signal<string | null> }) {
  const on = picked.value === entry.id;
  return (
    <button type="button" class="pick" aria-pressed={on} onClick={() => (picked.value = on ? null : entry.id)}>
      {entry.device.value.name}
    </button>
  );
}
