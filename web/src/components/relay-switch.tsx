import { useSignal } from "@preact/signals";
import { wattsWord } from "../relay";
import { connection, pictureMillis, type Entry } from "../state";
import { switchRelay } from "../sync";
import { HoldButton } from "./hold-button";

/** How long after a command its outcome stands under the button. */
const recentMillis = 15_000;

/** The relay as a switch whose knob is where the node says, and half way while it is being asked. Nothing where there is no relay. */
export function RelaySwitch({ entry }: { entry: Entry }) {
  const hinting = useSignal(false);
  const device = entry.device.value;
  const { state, truth, reason } = entry.situation.value;
  const hold = needsHold(entry, truth !== "on");
  if (truth === "none") return null;
  return (
    <div class="relay">
      <HoldButton
        class="switch"
        testID={`relay-${device.id}`}
        state={state}
        pressed={truth === "on"}
        label={`${device.name}, relay${hold ? ", hold for a second to switch off" : ""}`}
        hold={hold}
        busy={state === "asking"}
        disabled={connection.value === "away"}
        onHint={(on) => (hinting.value = on)}
        onAct={() => (truth === "unknown" ? (entry.choosing.value = true) : void switchRelay(entry.id, truth === "off"))}
      >
        <span class="track" data-truth={truth}>
          <span class="knob" />
        </span>
      </HoldButton>
      <span class="relay-word" data-strong={hinting.value || reason !== ""} role="status">
        {hinting.value ? "hold for 1 s" : <Word entry={entry} hold={hold} />}
      </span>
    </div>
  );
}

/** needsHold says whether switching to this position is guarded: what must stay on is not switched off by a stray tap. */
export function needsHold(entry: Entry, on: boolean): boolean {
  return entry.device.value.kind === "must_stay_on" && !on;
}

/** The word under the switch: the position, or how the last command went while that is news. */
function Word({ entry, hold }: { entry: Entry; hold: boolean }) {
  const { state, truth } = entry.situation.value;
  const command = entry.device.value.relay.command;
  if (state === "asking") return <>asking…</>;
  if (state === "failed") return <>still {truth}</>;
  if (command?.state === "acknowledged" && command.set === truth && isRecent(command.asked_at)) {
    return <>{wattsWord(command).split(":")[0] || `node says ${truth}`}</>;
  }
  return <>{hold ? "hold for off" : truth}</>;
}

function isRecent(at: string): boolean {
  return pictureMillis.value - Date.parse(at) < recentMillis;
}
