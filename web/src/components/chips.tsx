import type { Device } from "../api";
import { age, count } from "../format";
import { wattsWord } from "../relay";
import type { Entry } from "../state";

/** What is out of the ordinary about a device; usually nothing. */
export function Chips({ entry }: { entry: Entry }) {
  const device = entry.device.value;
  const refused = refusedCount(device);
  const command = device.relay.command;
  return (
    <p class="chips">
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
