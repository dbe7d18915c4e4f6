import { useComputed, useSignal, type ReadonlySignal, type Signal } from "@preact/signals";
import { count, power } from "../format";
import { housePicture } from "../picture";
import { route } from "../route";
import { allEntries, entryOf, house, topEntries, type Entry, type House } from "../state";
import { Chart } from "./chart";
import { Quantity } from "./figure";
import { Today } from "./tile";

/** The house's power now and over a range, with one device drawn over it if somebody picks one. */
export function Hero() {
  const picked = useSignal<string | null>(null);
  const over = useComputed(() => (picked.value === null ? undefined : entryOf(picked.value)));
  const picture = useComputed(() => housePicture(route.value.range, over.value));
  const shown = useComputed(() => [...topEntries.value, ...(over.value ? [over.value] : [])].map((entry) => entry.id));
  const name = useComputed(() => over.value?.device.value.name ?? null);
  return (
    <section class="card hero" aria-label="The house">
      <HouseNow house={house} />
      <Chart picture={picture} shown={shown} areaName="House" lineName={name.value} />
      <Picker picked={picked} />
    </section>
  );
}

function HouseNow({ house }: { house: ReadonlySignal<House> }) {
  const { watts, counted, devices } = house.value;
  const main = wholeHouse();
  const all = main ? `measured by ${main.device.value.name}` : count(devices, "device");
  const note = counted === devices ? all : `${counted} of ${count(devices, "device")}`;
  return (
    <div class="house">
      <h1>House now</h1>
      <p class="house-watts" data-testid="house-watts" data-watts={watts}>
        <Quantity figure={watts === null ? null : power(watts)} />
      </p>
      <p class="house-today">
        <Today id={null} />
      </p>
      <p class="soft">{counted === 0 ? "no device is measuring" : note}</p>
    </div>
  );
}

/** Picks the device whose line is drawn over the house. One that is the whole house has no line of its own. */
function Picker({ picked }: { picked: Signal<string | null> }) {
  const whole = wholeHouse();
  return (
    <div class="picker" role="group" aria-label="Draw a device over the house">
      {allEntries.value.filter((entry) => entry !== whole).map((entry) => (
        <Pick key={entry.id} entry={entry} picked={picked} />
      ))}
    </div>
  );
}

/** wholeHouse is the one meter above all others, if there is one. */
function wholeHouse(): Entry | undefined {
  const [main, second] = topEntries.value;
  return second === undefined && allEntries.value.length > 1 ? main : undefined;
}

function Pick({ entry, picked }: { entry: Entry; picked: Signal<string | null> }) {
  const on = picked.value === entry.id;
  return (
    <button type="button" class="pick" aria-pressed={on} onClick={() => (picked.value = on ? null : entry.id)}>
      {entry.device.value.name}
    </button>
  );
}
