import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { Command, Device, Latest } from "./api";
import * as state from "./state";

const now = Date.now();

function at(secondsAgo: number, power?: number): Latest {
  const latest: Latest = { at: new Date(now - secondsAgo * 1000).toISOString() };
  return power === undefined ? latest : { ...latest, power };
}

function device(id: string, change: Partial<Device> = {}): Device {
  return {
    id,
    name: id,
    room: "",
    kind: "generic",
    node: id,
    channel: 0,
    parent: "",
    online: true,
    last_seen: null,
    meter_silent: false,
    latest: null,
    relay: { state: "on", command: null },
    interval_ms: 5000,
    refused: {},
    protocol: 1,
    caps: [],
    settings: {},
    effective: {},
    configured: { state: "none", field: "", reason: "" },
    protection: [],
    ...change,
  };
}

function entry(id: string): state.Entry {
  const found = state.entryOf(id);
  if (!found) throw new Error(`no device ${id}`);
  return found;
}

test("rooms and devices are in order, and those without a room come last", () => {
  state.putDevices([
    device("b", { name: "Lamp 10", room: "Living room" }),
    device("c", { name: "Pump" }),
    device("a", { name: "Lamp 9", room: "Living room" }),
    device("d", { name: "Fridge", room: "Kitchen" }),
  ]);
  const order = state.rooms.value?.map((room) => [room.name, ...room.entries.map((e) => e.id)]);
  deepEqual(order, [["Kitchen", "d"], ["Living room", "a", "b"], ["", "c"]]);
});

test("the house adds what counts: online, heard, and not already in its parent", () => {
  state.putDevices([
    device("main", { latest: at(1, 1000) }),
    device("child", { latest: at(1, 400), parent: "main" }),
    device("shed", { latest: at(1, 50.5) }),
    device("offline", { latest: at(900, 70), online: false }),
    device("silent", { latest: at(900, 70), meter_silent: true }),
    device("new"),
  ]);
  deepEqual(state.house.value, { watts: 1050.5, counted: 2, devices: 5 });

  state.putReading("shed", at(0, 10));
  equal(state.house.value.watts, 1010);

  state.putDevices([device("offline", { online: false, latest: at(900, 70) })]);
  deepEqual(state.house.value, { watts: null, counted: 0, devices: 1 });
});

test("what no child measures is unmetered, if it is known and positive", () => {
  const main = device("main", { latest: at(1, 500) });
  const child = (watts: number, change: Partial<Device> = {}) => device("c", { parent: "main", latest: at(1, watts), ...change });
  const cases: [name: string, parent: Device, children: Device[], want: number | null][] = [
    ["a rest", main, [child(300), child(115)], 85],
    ["a child that is not heard is not metered", main, [child(300), child(115, { online: false })], 200],
    ["read at another instant", main, [child(510)], null],
    ["no rest", main, [child(500)], null],
    ["no children", main, [], null],
    ["parent not heard", { ...main, online: false }, [child(300)], null],
  ];
  for (const [name, parent, children, want] of cases) {
    equal(state.unmeteredWatts(parent, children), want, name);
  }
});

test("a meter above others stands first, and so does its room", () => {
  state.putDevices([
    device("a", { room: "Attic", parent: "main" }),
    device("b", { room: "Hall", parent: "main" }),
    device("main", { name: "z", room: "Hall" }),
  ]);
  deepEqual(state.rooms.value?.map((room) => [room.name, ...room.entries.map((e) => e.id)]), [["Hall", "main", "b"], ["Attic", "a"]]);
  deepEqual(state.childrenOf("main").map((e) => e.id), ["b", "a"]);
});

test("an older reading or snapshot does not undo a newer one", () => {
  state.putDevices([device("fridge", { latest: at(10, 80) })]);
  state.putReading("fridge", at(5, 85));
  state.putReading("fridge", at(7, 99));
  equal(entry("fridge").device.value.latest?.power, 85);

  state.putDevices([device("fridge", { latest: at(10, 80), name: "Cold" })]);
  equal(entry("fridge").device.value.latest?.power, 85);
  equal(entry("fridge").device.value.name, "Cold");
});

test("the last hour is what was stored and what came since", () => {
  state.putDevices([device("kettle")]);
  state.putReading("kettle", at(2, 2000));
  state.putStored("kettle", { tMillis: [now - 12_000, now - 7_000], watts: [0, 1990] });
  deepEqual(entry("kettle").power.value.watts, [0, 1990, 2000]);
  equal(state.allStored.value, true);
});

test("the house's last hour is drawn as soon as it came in, not a tick later", () => {
  state.putDevices([]);
  state.putDevices([device("main", { latest: at(1, 70) })]);
  state.tick();
  const shown = () => state.housePower.value.watts.some((watts) => watts === 70);
  equal(shown(), false);
  state.putStored("main", { tMillis: [now - 12_000, now - 7_000, now - 2_000], watts: [70, 70, 70] });
  equal(shown(), true);
});

test("a young hub's charts grow in steps up to an hour", () => {
  state.tick();
  const spans = [30, 200, 400, 2000, 3500].map((oldestSeconds) => {
    state.putDevices([]);
    state.putDevices([device("a"), device("b")]);
    state.putStored("a", { tMillis: [Date.now() - oldestSeconds * 1000], watts: [1] });
    equal(state.spanMillis.value, 3_600_000); // b is still being fetched
    state.putStored("b", { tMillis: [], watts: [] });
    return state.spanMillis.value / 60_000;
  });
  deepEqual(spans, [1, 5, 10, 60, 60]);
  state.putDevices([]);
  equal(state.spanMillis.value, 3_600_000);
});

test("a value is stale once it is older than three intervals", () => {
  state.putDevices([device("a", { latest: at(5, 1) }), device("b", { latest: at(60, 1) }), device("c")]);
  state.tick();
  deepEqual(["a", "b", "c"].map((id) => entry(id).stale.value), [false, true, false]);
});

test("while the hub is away the picture stands still", () => {
  state.putDevices([device("a", { latest: at(1, 1) })]);
  state.heard();
  const before = state.pictureMillis.value;
  state.connection.value = "away";
  state.tick();
  equal(Math.abs(state.pictureMillis.value - before) < 1000, true);
  state.connection.value = "live";
});

test("ages are told by the hub's clock", () => {
  state.putDevices([device("a", { latest: at(0, 1) })]);
  state.setHubClock(Date.now() + 60_000);
  state.tick();
  equal((entry("a").ageMillis.value ?? 0) >= 59_000, true);
  state.setHubClock(Date.now());
  state.tick();
  equal((entry("a").ageMillis.value ?? 99_999) < 10_000, true);
});

test("devices come, return and go", () => {
  state.putDevices([device("a", { online: false })]);
  equal(state.putDevice(device("b")), "new");
  equal(state.putDevice(device("a")), "returned");
  equal(state.putDevice(device("a", { name: "A" })), "changed");
  state.putDevices([device("b")]);
  equal(state.entryOf("a"), undefined);
});

const sent: Command = {
  id: "c1",
  device: "lamp",
  set: "off",
  cause: "api",
  asked_at: new Date(now).toISOString(),
  state: "sent",
  watts: "",
  reason: "",
};

test("a request that failed and came true late does not come back", () => {
  state.putDevices([device("lamp")]);
  state.setAsk("lamp", { on: false, failure: "No answer from the node yet" });
  equal(entry("lamp").situation.value.state, "failed");
  state.putRelay("lamp", { state: "off", command: sent });
  state.putRelay("lamp", { state: "on", command: null });
  equal(entry("lamp").situation.value.state, "on");
});

test("the hub's last word on a command replaces the page's own", () => {
  state.putDevices([device("lamp")]);
  state.setAsk("lamp", { on: false, failure: "No answer from the node yet" });
  state.putCommand("lamp", sent);
  equal(entry("lamp").situation.value.reason, "No answer from the node yet");
  state.putCommand("lamp", { ...sent, state: "rejected", reason: "too soon" });
  equal(entry("lamp").situation.value.reason, "The node refused: too soon");
  state.dismiss(entry("lamp"));
  equal(entry("lamp").situation.value.state, "on");
});

test("news of a device that is not there changes nothing", () => {
  state.putDevices([]);
  state.putReading("ghost", at(0, 1));
  state.putStored("ghost", { tMillis: [], watts: [] });
  state.putCommand("ghost", sent);
  state.setAsk("ghost", null);
  deepEqual(state.rooms.value, []);
});
