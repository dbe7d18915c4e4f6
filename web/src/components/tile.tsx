import type { Device } from "../api";
import { usedBy } from "../energy";
import { amount, energy, power, text, type Figure } from "../format";
import { deviceHref, route } from "../route";
import { childrenOf, today, unmeteredWatts, type Entry } from "../state";
import { Quantity } from "./figure";
import { KindIcon, MeterIcon } from "./icons";
import { Chips } from "./chips";
import { RelayNote } from "./relay-note";
import { RelaySwitch } from "./relay-switch";
import { Spark } from "./spark";

/** One device on the first page. All of it leads to the device's page, except the relay. */
export function Tile({ entry }: { entry: Entry }) {
  const device = entry.device.value;
  const parent = childrenOf(entry.id).length > 0;
  return (
    <article class="card tile" data-parent={parent} data-testid={`tile-${device.id}`} data-old={isOld(entry)}>
      {parent ? <MeterIcon /> : <KindIcon kind={device.kind} />}
      <h3>
        <a href={deviceHref(device.id, route.value.range)}>{device.name}</a>
      </h3>
      <p class="tile-watts" data-testid={`watts-${device.id}`} data-watts={shownWatts(device)}>
        <Quantity figure={powerFigure(device)} />
      </p>
      <p class="tile-more soft">
        <Today id={device.id} />
      </p>
      <Below entry={entry} />
      <Spark entry={entry} />
      <RelaySwitch entry={entry} />
      <Chips entry={entry} />
      <RelayNote entry={entry} />
    </article>
  );
}

/** Of a meter above others: that it measures all of them, and what none of them measures. Nothing for the others. */
export function Below({ entry }: { entry: Entry }) {
  const children = childrenOf(entry.id).map((child) => child.device.value);
  if (children.length === 0) return null;
  const rest = unmeteredWatts(entry.device.value, children);
  return (
    <p class="below">
      all below
      {rest !== null && <span data-testid={`unmetered-${entry.id}`}> · unmetered {text(power(rest))}</span>}
    </p>
  );
}

/** isOld says that the figures are the last known ones, not the present ones. */
export function isOld(entry: Entry): boolean {
  const device = entry.device.value;
  return !device.online || device.meter_silent || entry.stale.value;
}

/** speaks says whether the meter can be heard now; if not, its last power would pass for the present one. */
function speaks(device: Device): boolean {
  return device.online && !device.meter_silent;
}

/** shownWatts is null where there is no figure to show. */
export function shownWatts(device: Device): number | null {
  return speaks(device) ? (device.latest?.power ?? null) : null;
}

export function powerFigure(device: Device): Figure | null {
  const watts = shownWatts(device);
  return watts === null ? null : power(watts);
}

/** What a device, or with null the house, used today and what that cost. It stands still while nobody hears the meter. */
export function Today({ id }: { id: string | null }) {
  if (today.value === null) return <>{"\u00a0"}</>;
  const used = usedBy(today.value, id);
  if (used === null) return <>nothing measured today</>;
  return (
    <>
      <span data-testid={id === null ? "house-today" : `today-${id}`} data-wh={used.wh}>
        {text(energy(used.wh))}
      </span>{" "}
      today
      {used.cost && (
        <span class="cost" data-testid={id === null ? "house-cost" : `cost-${id}`}>
          <span class="dot"> · </span>
          {amount(used.cost)}
        </span>
      )}
    </>
  );
}
