import { useSignal } from "@preact/signals";
import type { Configured, LoadKind, Settings } from "../api";
import { alertsOf, connection, type Entry } from "../state";
import { editable, settingsOf } from "../settings";
import { configure, resetProtection } from "../sync";
import { kindNames } from "./icons";

const stateWords: Record<Configured["state"], string> = {
  none: "",
  waiting: "waits for the node",
  sent: "asking the node…",
  in_force: "in force",
  refused: "refused by the node",
  told: "told to the node",
};

/** What the node does by itself, without hub and network; and how to change that. */
export function Protection({ entry }: { entry: Entry }) {
  const editing = useSignal(false);
  const failure = useSignal("");
  const device = entry.device.value;
  if (entry.situation.value.truth === "none") return null;
  const cutOff = alertsOf(entry.id).some((alert) => alert.kind === "cut_off");
  const act = async (what: Promise<string>) => {
    failure.value = await what;
    if (failure.value === "") editing.value = false;
  };
  return (
    <section class="card protection" aria-label="Protection and limits" data-testid="protection" data-state={device.configured.state}>
      <h2>
        Protection and limits <span class="soft">{stateWords[device.configured.state]}</span>
      </h2>
      <ul>
        {device.protection.map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
      {failure.value !== "" && <p role="alert">{failure.value}.</p>}
      <p class="buttons">
        {cutOff && (
          <button type="button" class="action" disabled={connection.value === "away"} onClick={() => void act(resetProtection(entry.id))}>
            Reset the cut-off
          </button>
        )}
        {!editing.value && (
          <button type="button" class="action" disabled={connection.value === "away"} data-testid="change-protection" onClick={() => (editing.value = true)}>
            Change
          </button>
        )}
      </p>
      {editing.value && <Editor entry={entry} onSave={(kind, settings) => void act(configure(entry.id, kind, settings))} onCancel={() => (editing.value = false)} />}
    </section>
  );
}

interface EditorProps {
  readonly entry: Entry;
  readonly onSave: (kind: LoadKind, settings: Settings) => void;
  readonly onCancel: () => void;
}

function Editor({ entry, onSave, onCancel }: EditorProps) {
  const device = entry.device.peek();
  const save = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    onSave(form.get("kind") as LoadKind, settingsOf(device.settings, (name) => String(form.get(name) ?? "")));
  };
  return (
    <form class="settings" onSubmit={save}>
      <label>
        <span>What hangs on it</span>
        <select name="kind" defaultValue={device.kind}>
          {Object.entries(kindNames).map(([kind, name]) => (
            <option key={kind} value={kind} selected={kind === device.kind}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {device.protocol > 0 && (
        <label>
          <span>After a power cut</span>
          <select name="power_up">
            {powerUps.map(([value, name]) => (
              <option key={value} value={value} selected={value === (device.settings.power_up ?? "")}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
      {device.protocol > 0 &&
        editable.map(({ name, label, unit, step }) => (
          <label key={name}>
            <span>
              {label}, {unit}
            </span>
            <input type="number" name={name} min="0" step={step} inputMode="decimal" placeholder={placeholder(device.effective[name])} defaultValue={device.settings[name]} />
          </label>
        ))}
      <p class="buttons">
        <button type="submit" class="action">
          Save
        </button>
        <button type="button" class="action" onClick={onCancel}>
          Cancel
        </button>
      </p>
      <p class="soft">An empty field is what is safe for its kind; 0 is no limit.</p>
    </form>
  );
}

const powerUps = [
  ["", "what is safe for its kind"],
  ["off", "stay off"],
  ["on", "go on"],
  ["last", "back to where it was"],
] as const;

function placeholder(effective: Settings[keyof Settings]): string {
  return effective === undefined || effective === 0 ? "no limit" : String(effective);
}
