// What people choose for a node on its page, pure.
import type { Settings } from "./api";

/** The settings that people are asked for; all others stay as they are. */
export const editable: readonly { name: keyof Settings; label: string; unit: string; step: string }[] = [
  { name: "max_current", label: "Cut off beyond", unit: "A", step: "0.1" },
  { name: "max_power", label: "Cut off beyond", unit: "W", step: "1" },
  { name: "min_off_s", label: "Rest before it goes on again", unit: "s", step: "1" },
  { name: "max_on_s", label: "Go off after", unit: "s", step: "1" },
];

/** settingsOf returns what was chosen before with what a form says now; an empty field unchooses. */
export function settingsOf(before: Settings, read: (name: string) => string): Settings {
  const chosen: Record<string, unknown> = { ...before };
  for (const name of ["power_up", ...editable.map((field) => field.name)]) {
    const word = read(name).trim();
    if (word === "") {
      delete chosen[name];
    } else {
      chosen[name] = name === "power_up" ? word : Number(word);
    }
  }
  return chosen as Settings;
}
