import type { Device, Relay } from "../api";
import { age, count, moment } from "../format";
import { wattsWord } from "../relay";
import { alertsOf, pictureMillis, type Entry } from "../state";
import { alertWord } from "./alerts";

/** What is out of the ordinary about a device; usually nothing. */
export function Chips({ entry }: { entry: Entry }) {
  const device = entry.device.value;
  const refused = refusedCount(device);
  const command = device.relay.command;
  return (
    <p class="chips">
      {alertsOf(entry.id).map((alert) => (
        <span key={alert.id} class={alert.severity === "critical" ? "chip chip-alarm" : "chip chip-strong"} data-testid={`mark-${device.id}`}>
          {alertWord(alert)}
        </span>
      ))}
      <Ends relay={device.relay} />
      {!device.online && (
        <span class="chip chip-strong">
          offline
          <Age entry={entry} before=" · " />
        </span>
      )}
      {device.online && device.meter_silent && (
        <span class="chip chip-strong">
          meter silent, no mains?
          <Age entry={entry} before=" · " />
        </span>
      )}
      {device.online && !device.meter_silent && entry.stale.value && (
        <span class="chip">
          read
          <Age entry={entry} before=" " />
        </span>
      )}
      {command?.watts === "disagrees" && command.set === device.relay.state && (
        <span class="chip chip-strong">{wattsWord(command)}</span>
      )}
      {refused > 0 && (
        <span class="chip" title="The hub could not understand some of what this node sent. The device's page says why.">
          {count(refused, "message")} refused
        </span>
      )}
    </p>
  );
}

/** How the present ON ends without anybody's doing. */
function Ends({ relay }: { relay: Relay }) {
  if (relay.state !== "on") return null;
  const { off_at: offAt, lease_s: lease = 0 } = relay;
  return (
    <>
      {offAt && <span class="chip">off {moment(Date.parse(offAt), pictureMillis.value)}</span>}
      {lease > 0 && <span class="chip">off within {lease % 60 === 0 ? `${lease / 60} min` : `${lease} s`} if the hub dies</span>}
    </>
  );
}

/** The age of the latest reading, if there is one. It is a component of its own because it alone changes every second. */
function Age({ entry, before }: { entry: Entry; before: string }) {
  const millis = entry.ageMillis.value;
  return millis === null ? null : (
    <time>
      {before}
      {age(millis)}
    </time>
  );
}

export function refusedCount(device: Device): number {
  return Object.values(device.refused ?? {}).reduce((sum, n) => sum + n, 0);
}
