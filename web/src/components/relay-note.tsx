import { connection, dismiss, type Entry } from "../state";
import { switchRelay } from "../sync";
import { HoldButton } from "./hold-button";
import { CloseIcon } from "./icons";
import { needsHold } from "./relay-switch";

/** Beside the switch: why it did not switch, and Retry; or which way, where the position is not known. */
export function RelayNote({ entry }: { entry: Entry }) {
  const { state, truth, wanted, reason } = entry.situation.value;
  if (state === "failed" && wanted !== null) {
    return (
      <div class="note" role="alert">
        <p>{reason}.</p>
        <Switch entry={entry} on={wanted === "on"} word="Retry" />
        <button type="button" class="plain" aria-label="Put this note away" onClick={() => dismiss(entry)}>
          <CloseIcon />
        </button>
      </div>
    );
  }
  if (truth === "unknown" && state !== "asking" && entry.choosing.value) {
    return (
      <div class="note">
        <p>The node has not said which way its relay is. Switch it</p>
        <Switch entry={entry} on={true} word="On" />
        <Switch entry={entry} on={false} word="Off" />
      </div>
    );
  }
  return null;
}

function Switch({ entry, on, word }: { entry: Entry; on: boolean; word: string }) {
  const hold = needsHold(entry, on);
  const name = entry.device.value.name;
  return (
    <HoldButton
      class="action"
      hold={hold}
      disabled={connection.value === "away"}
      label={`${word}: switch ${name} ${on ? "on" : "off"}${hold ? ", hold for a second" : ""}`}
      onAct={() => {
        entry.choosing.value = false;
        void switchRelay(entry.id, on);
      }}
    >
      {hold ? `${word} · hold` : word}
    </HoldButton>
  );
}
