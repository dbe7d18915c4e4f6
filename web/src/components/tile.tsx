import type { Device } from "../api";
import { current, energy, power, text, voltage, type Figure } from "../format";
import { deviceHref } from "../route";
import type { Entry } from "../state";
import { Quantity } from "./figure";
import { KindIcon } from "./icons";
import { Chips } from "./chips";
import { RelayNote } from "./relay-note";
import { RelaySwitch } from "./relay-switch";
import { Spark } from "./spark";

/** One device on the first page. All of it leads to the device's page, except the relay. */
export function Tile({ entry }: { entry: Entry }) {
  const device = entry.device.value;
  return (
    <article class="card tile" data-testid={`tile-${device.id}`} data-old={isOld(entry)}>
      <KindIcon kind={device.kind} />
      <h3>
        <a href={deviceHref(device.id)}>{device.name}</a>
      </h3>
      <p class="tile-watts" data-testid={`watts-${device.id}`} data-watts={shownWatts(device)}>
        <Quantity figure={powerFigure(device)} />
      </p>
      <p class="tile-more soft">{more(device)}</p>
      <Spark entry={entry} />
      <RelaySwitch entry={entry} />
      <Chips entry={entry} />
      <RelayNote entry={entry} />
    </article>
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

/** more gives the quantities of second rank, those that were measured. A register stands still while nobody hears it; the others do not. */
function more(device: Device): string {
  const latest = device.latest;
  const parts = [
    speaks(device) && latest?.voltage !== undefined && text(voltage(latest.voltage)),
    speaks(device) && latest?.current !== undefined && text(current(latest.current)),
    latest?.energy_wh !== undefined && text(energy(latest.energy_wh)),
  ];
  return parts.filter(Boolean).join(" · ") || "no reading yet";
}
