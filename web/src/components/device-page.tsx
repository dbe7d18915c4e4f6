import { useComputed } from "@preact/signals";
import * as format from "../format";
import { usedBy } from "../energy";
import { causeOf, isUnasked, lifeOf } from "../relay";
import { devicePicture } from "../picture";
import { deviceHref, homeHref, route } from "../route";
import { childrenOf, entryOf, pictureMillis, rooms, today, type Entry } from "../state";
import { Chart } from "./chart";
import { DeviceAlerts } from "./alerts";
import { Chips } from "./chips";
import { EnergyCard } from "./energy-card";
import { Quantity } from "./figure";
import { BackIcon, KindIcon, kindNames, MeterIcon } from "./icons";
import { Protection } from "./protection";
import { RelayHistory } from "./relay-history";
import { RelayNote } from "./relay-note";
import { RelaySwitch } from "./relay-switch";
import { Below, isOld, powerFigure, shownWatts } from "./tile";

/** One device: all it measures, its past, and its relay. */
export function DevicePage({ id }: { id: string }) {
  const loading = rooms.value === null;
  const entry = entryOf(id);
  if (loading) return <div class="card hero skeleton" aria-busy="true" aria-label="Loading" />;
  if (!entry) return <NoDevice id={id} />;
  return <KnownDevice entry={entry} />;
}

function NoDevice({ id }: { id: string }) {
  return (
    <section class="card empty">
      <h1>No device “{id}”</h1>
      <p class="soft">It may have been removed, or the address has a slip in it.</p>
      <p>
        <a href={homeHref(route.value.range)}>See all devices</a>
      </p>
    </section>
  );
}

function KnownDevice({ entry }: { entry: Entry }) {
  return (
    <div class="device">
      <Heading entry={entry} />
      <DeviceAlerts entry={entry} />
      <section class="card live" data-old={isOld(entry)} aria-label="Now">
        <Now entry={entry} />
        <Figures entry={entry} />
      </section>
      <RelayCard entry={entry} />
      <Protection entry={entry} />
      <section class="card past" aria-label="The past">
        <Past entry={entry} />
      </section>
      <EnergyCard entry={entry} />
      <About entry={entry} />
    </div>
  );
}

function Heading({ entry }: { entry: Entry }) {
  const device = entry.device.value;
  const parent = childrenOf(entry.id).length > 0;
  return (
    <div class="device-heading">
      <a class="back" href={homeHref(route.value.range)} aria-label="Back to all devices">
        <BackIcon />
      </a>
      {parent ? <MeterIcon /> : <KindIcon kind={device.kind} />}
      <div>
        <h1>{device.name}</h1>
        <p class="soft">{[device.room, parent ? "meter above others" : kindNames[device.kind]].filter(Boolean).join(" · ")}</p>
      </div>
    </div>
  );
}

function Now({ entry }: { entry: Entry }) {
  const device = entry.device.value;
  return (
    <div class="now">
      <p class="now-watts" data-testid={`watts-${device.id}`} data-watts={shownWatts(device)}>
        <Quantity figure={powerFigure(device)} />
      </p>
      <Below entry={entry} />
      <Chips entry={entry} />
    </div>
  );
}

/** The quantities beside power. Apparent power is not measured but follows from voltage and current. */
function Figures({ entry }: { entry: Entry }) {
  const device = entry.device.value;
  const { voltage, current, pf, frequency } = (shownWatts(device) !== null && device.latest) || {};
  const apparent = voltage === undefined || current === undefined ? undefined : voltage * current;
  return (
    <dl class="figures">
      <Named name="Voltage" value={voltage} show={format.voltage} />
      <Named name="Current" value={current} show={format.current} />
      <Named name="Apparent power" value={apparent} show={format.apparentPower} />
      <Named name="Power factor" value={pf} show={format.powerFactor} />
      <Named name="Frequency" value={frequency} show={format.frequency} />
      <Named name="Used today" value={usedBy(today.value, device.id)?.wh} show={format.energy} />
    </dl>
  );
}

function Named({ name, value, show }: { name: string; value: number | undefined; show: (x: number) => format.Figure }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <Quantity figure={value === undefined ? null : show(value)} />
      </dd>
    </div>
  );
}

function RelayCard({ entry }: { entry: Entry }) {
  if (entry.situation.value.truth === "none") return null;
  const command = entry.device.value.relay.command;
  const failed = entry.situation.value.state === "failed"; // the note says why
  return (
    <section class="card relay-card" aria-label="Relay">
      <h2>Relay</h2>
      <RelaySwitch entry={entry} />
      {command ? (
        <p class="life">
          {!failed && lifeOf(command)}
          <span class="soft">
            {isUnasked(command) ? "" : "asked "}
            {format.moment(Date.parse(command.asked_at), pictureMillis.value)} by {causeOf(command)}
          </span>
        </p>
      ) : (
        <p class="life soft">nobody has switched it yet</p>
      )}
      <RelayNote entry={entry} />
      {command && <RelayHistory entry={entry} />}
    </section>
  );
}

function Past({ entry }: { entry: Entry }) {
  const picture = useComputed(() => devicePicture(route.value.range, entry));
  const shown = useComputed(() => [entry.id]);
  return <Chart picture={picture} shown={shown} areaName={entry.device.value.name} lineName={null} />;
}

function About({ entry }: { entry: Entry }) {
  const device = entry.device.value;
  const parent = device.parent === "" ? null : (entryOf(device.parent)?.device.value.name ?? device.parent);
  const children = childrenOf(entry.id);
  const refused = Object.entries(device.refused ?? {});
  return (
    <section class="card about" aria-label="About this device">
      <dl>
        <dt>Node</dt>
        <dd>
          {device.node}
          {device.channel > 0 && `, channel ${device.channel}`}
        </dd>
        {parent !== null && <dt>Measured by</dt>}
        {parent !== null && <dd>{parent}, too</dd>}
        {children.length > 0 && <dt>Measures, too</dt>}
        {children.length > 0 && <dd>{children.map(below)}</dd>}
        <dt>Reads its meter</dt>
        <dd>every {device.interval_ms / 1000} s</dd>
        {device.latest?.energy_wh !== undefined && <dt>Its own counter</dt>}
        {device.latest?.energy_wh !== undefined && (
          <dd>shows {format.text(format.energy(device.latest.energy_wh))}, which only says how far it has counted</dd>
        )}
        <dt>Last heard</dt>
        <dd>{device.last_seen === null ? "not since the hub started" : format.moment(Date.parse(device.last_seen), pictureMillis.value)}</dd>
        {refused.length > 0 && <dt>Refused</dt>}
        {refused.length > 0 && (
          <dd>
            {refused.map(([reason, n]) => `${format.count(n, "message")}: ${reason}`).join("; ")}. The hub could not understand
            these; check the node's firmware.
          </dd>
        )}
      </dl>
    </section>
  );
}

/** One of the devices that a meter above others measures, too. */
function below(child: Entry, index: number) {
  const { id, name } = child.device.value;
  return (
    <>
      {index > 0 && ", "}
      <a href={deviceHref(id, route.value.range)}>{name}</a>
    </>
  );
}
