import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { settingsOf } from "./settings";

test("an empty field unchooses, and what nobody is asked for stays", () => {
  const said: Record<string, string> = { max_current: "16.5", max_power: " ", min_off_s: "0", power_up: "last" };
  const before = { max_power: 3680, heartbeat_ms: 10_000, power_up: "off" } as const;
  deepEqual(settingsOf(before, (name) => said[name] ?? ""), { max_current: 16.5, min_off_s: 0, power_up: "last", heartbeat_ms: 10_000 });
  deepEqual(settingsOf(before, () => ""), { heartbeat_ms: 10_000 });
});
