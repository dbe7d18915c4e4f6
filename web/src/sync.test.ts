import { deepEqual, equal, match } from "node:assert/strict";
import { test } from "node:test";
import { fetchPower } from "./api";
import * as state from "./state";
import { acknowledge, configure, handlers, keepEnergy, keepPast, keepToday, switchRelay, type PeriodEnergy } from "./sync";

/** What the hub was asked, and how it answers. */
interface Asked {
  readonly url: string;
  readonly method: string;
  readonly body: string;
  answer(status: number, body: unknown): void;
  break(): void;
}

const asked: Asked[] = [];

/** What the hub answers about alerts, always at once. */
let alerts: unknown[] = [];

globalThis.fetch = (input: URL | RequestInfo, init: RequestInit = {}): Promise<Response> =>
  new Promise((resolve, reject) => {
    if (String(input) === "/api/v1/alerts") {
      resolve(new Response(JSON.stringify({ alerts })));
      return;
    }
    asked.push({
      url: String(input),
      method: init.method ?? "GET",
      body: String(init.body ?? ""),
      answer: (status, body) => resolve(new Response(JSON.stringify(body), { status })),
      break: () => reject(new TypeError("network")),
    });
  });

/** next returns the next request, once it is made. */
async function next(): Promise<Asked> {
  for (let turn = 0; turn < 1000; turn++) {
    const request = asked.shift();
    if (request) return request;
    await settled();
  }
  throw new Error("the page asked nothing");
}

/** settled lets everything happen that waits for nothing but its turn. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  await new Promise((resolve) => setTimeout(resolve));
}

function lamp(power: number, secondsAgo: number, position = "on"): unknown {
  return {
    id: "lamp",
    name: "Lamp",
    room: "",
    kind: "lighting",
    node: "lamp",
    channel: 0,
    parent: "",
    online: true,
    last_seen: null,
    meter_silent: false,
    latest: { at: new Date(Date.now() - secondsAgo * 1000).toISOString(), power },
    relay: { state: position, command: null },
    interval_ms: 5000,
    refused: {},
    protocol: 1,
    caps: [],
    settings: {},
    effective: {},
    configured: { state: "none", field: "", reason: "" },
    protection: [],
  };
}

/** connected is a page that knows one lamp, which is on. */
async function connected(): Promise<void> {
  asked.length = 0;
  state.putDevices([]);
  handlers.hello();
  (await next()).answer(200, { devices: [lamp(9, 10)] });
  (await next()).answer(200, { t: [], power: [] });
  await settled();
}

function situation(): string {
  const { state: shown, reason } = state.entryOf("lamp")?.situation.value ?? { state: "gone", reason: "" };
  return reason === "" ? shown : `${shown}: ${reason}`;
}

test("a connection fetches the devices, then their last hour", async () => {
  handlers.hello();
  equal(state.connection.value, "live");
  const devices = await next();
  equal(devices.url, "/api/v1/devices");
  devices.answer(200, { devices: [lamp(9, 10)] });
  const readings = await next();
  match(readings.url, /^\/api\/v1\/devices\/lamp\/readings\?from=.*Z&to=.*Z&quantities=power$/);
  readings.answer(200, { t: [Date.now() - 20_000], power: [8] });
  await settled();
  deepEqual(state.entryOf("lamp")?.power.value.watts, [8]);
  equal(state.allStored.value, true);
});

function alert(id: string, change: object = {}) {
  const open = { id, kind: "cut_off", severity: "critical", device: "lamp", text: "It was cut off.", acknowledged_by: "" } as const;
  return { ...open, raised_at: "2026-11-23T12:00:00Z", acknowledged_at: null, cleared_at: null, ...change };
}

test("alerts are shown from when they are raised until they are over, and to be seen until somebody has", async () => {
  const shown = () => [state.alertsOf("lamp").map((a) => a.id).join(), state.unseenAlerts.value.map((a) => a.id).join()];
  alerts = [alert("old"), alert("over", { cleared_at: "2026-11-23T13:00:00Z" })];
  await connected();
  deepEqual(shown(), ["old", "old"]);
  handlers.alert(alert("new", { raised_at: "2026-11-23T14:00:00Z" }));
  deepEqual(shown(), ["new,old", "new,old"]);
  const acknowledging = acknowledge("old");
  const request = await next();
  deepEqual([request.method, request.url], ["POST", "/api/v1/alerts/old/acknowledge"]);
  request.answer(200, alert("old", { acknowledged_at: "2026-11-23T15:00:00Z" }));
  equal(await acknowledging, "");
  deepEqual(shown(), ["new,old", "new"]);
  handlers.alert(alert("new", { cleared_at: "2026-11-23T15:00:00Z" }));
  deepEqual(shown(), ["old", ""]);
  alerts = [];
  await connected();
  deepEqual(shown(), ["", ""]);
});

test("what a node is configured to is asked for whole, and a refusal says why", async () => {
  await connected();
  const saving = configure("lamp", "heater", { max_current: 16 });
  const request = await next();
  deepEqual([request.method, request.body], ["PATCH", `{"kind":"heater","settings":{"max_current":16}}`]);
  request.answer(409, { detail: "Lamp has a node of protocol 0" });
  equal(await saving, "Lamp has a node of protocol 0");
});

test("news that overtakes the snapshot is not undone by it", async () => {
  await connected();
  handlers.hello();
  const devices = await next();
  handlers.relay("lamp", { state: "off", command: null });
  devices.answer(200, { devices: [lamp(9, 10, "on")] });
  (await next()).answer(200, { t: [], power: [] });
  await settled();
  equal(situation(), "off");
});

test("a reset during a fetch leads to another fetch", async () => {
  await connected();
  handlers.hello();
  const first = await next();
  handlers.reset();
  first.answer(200, { devices: [lamp(1, 5)] });
  (await next()).answer(200, { devices: [lamp(2, 4)] });
  (await next()).answer(200, { t: [], power: [] });
  await settled();
  equal(state.house.value.watts, 2);
  equal(asked.length, 0);
});

test("the last picture stands while the hub is away", async () => {
  await connected();
  handlers.away();
  equal(state.connection.value, "away");
  equal(state.house.value.watts, 9);
  await connected();
  equal(state.connection.value, "live");
});

test("a longer range is fetched in steps, a failure says why, and what is known stands", async () => {
  await connected();
  const past = () => state.entryOf("lamp")?.past["24h"].value;
  let stop = keepPast("24h", ["lamp"]);
  (await next()).answer(500, { detail: "the disk is full" });
  await settled();
  stop();
  equal(past()?.failure, "the disk is full");

  stop = keepPast("24h", ["lamp"]);
  const readings = await next();
  match(readings.url, /readings\?from=.*%3A00.000Z&to=.*Z&step=1m&quantities=power$/);
  readings.answer(200, { t: [0], power: [5], power_min: [4], power_max: [6], coverage: [1] });
  await settled();
  stop();
  deepEqual(past(), { buckets: { tMillis: [0], mean: [5], min: [4], max: [6] }, known: true, failure: "" });

  stop = keepPast("24h", ["lamp"]);
  (await next()).break();
  await settled();
  stop();
  deepEqual([past()?.known, past()?.failure], [true, "the hub did not answer"]);
});

const command = { id: "c1", device: "lamp", set: "off", cause: "api", asked_at: "2026-11-23T12:00:00Z", watts: "", reason: "" };

test("the button asks, and follows the node's answer", async () => {
  await connected();
  const done = switchRelay("lamp", false);
  const put = await next();
  equal(situation(), "asking");
  equal(put.method + " " + put.url, "PUT /api/v1/devices/lamp/relay");
  deepEqual(JSON.parse(put.body), { on: false, wait: "3s" });
  put.answer(200, { state: "off", command: { ...command, state: "acknowledged" } });
  await done;
  equal(situation(), "off");
});

test("every refusal returns the button to the truth with its reason", async () => {
  const refusals: [string, (put: Asked) => void, string][] = [
    [
      "the node refuses",
      (put) => put.answer(409, { detail: "no", state: "on", command: { ...command, state: "rejected", reason: "too soon" } }),
      "failed: The node refused: too soon",
    ],
    [
      "the node is silent",
      (put) => put.answer(504, { detail: "no answer", state: "on", command: { ...command, state: "sent" } }),
      "failed: No answer from the node yet",
    ],
    ["the hub refuses", (put) => put.answer(422, { detail: "wait: not a duration" }), "failed: wait: not a duration"],
    ["something else answers", (put) => put.answer(502, "Bad Gateway"), "failed: the hub answered 502"],
    ["nobody answers", (put) => put.break(), "failed: The hub did not answer"],
  ];
  for (const [name, refuse, want] of refusals) {
    await connected();
    const done = switchRelay("lamp", false);
    refuse(await next());
    await done;
    equal(situation(), want, name);
  }
});

test("a node that answers late is still believed", async () => {
  await connected();
  const done = switchRelay("lamp", false);
  (await next()).answer(504, { state: "on", command: { ...command, state: "sent" } });
  await done;
  handlers.relay("lamp", { state: "off", command: { ...command, state: "acknowledged" } } as never);
  equal(situation(), "off");
});

test("readings come page after page, from the hub that served the page", async () => {
  Object.assign(globalThis, { location: { origin: "https://meter.example" } });
  asked.length = 0;
  const fetched = fetchPower("node:1", 0, 10_000);
  const first = await next();
  match(first.url, /^\/api\/v1\/devices\/node%3A1\/readings\?from=1970-01-01T00%3A00%3A00.000Z&to=/);
  first.answer(200, { t: [0, 5000], power: [1, null], next: "http://hub.internal:8080/api/v1/devices/node:1/readings?cursor=x" });
  const second = await next();
  equal(second.url, "/api/v1/devices/node:1/readings?cursor=x");
  second.answer(200, { t: [10_000], power: [3] });
  deepEqual(await fetched, { tMillis: [0, 5000, 10_000], watts: [1, null, 3] });
});

/** As much of a page as keeping energy looks at. */
Object.assign(globalThis, { document: { visibilityState: "visible" } });

test("today's energy is that of the hub's own day", async () => {
  const stop = keepToday();
  const request = await next();
  equal(request.url, "/api/v1/energy");
  request.answer(200, { from: "2026-11-23T00:00:00+05:45", to: "", devices: [] });
  await settled();
  equal(state.todaysDate.value, "2026-11-23");
  stop();
});

test("a period is asked for by the site's dates, and its end only once it is over", async () => {
  const urls = async (period: "day" | "week" | "month", date: string | null, parent: boolean): Promise<string[]> => {
    let taken: PeriodEnergy | null = null;
    const stop = keepEnergy("a b", { period, date }, "2026-11-23", parent, (energy) => (taken = energy));
    const requests = parent ? [await next(), await next()] : [await next()];
    requests.forEach((request) => request.answer(200, { from: "", to: "", devices: [] }));
    await settled();
    equal((taken as PeriodEnergy | null)?.whole === null, !parent);
    stop();
    return requests.map((request) => request.url.replace("/api/v1/energy?", ""));
  };
  deepEqual(await urls("day", null, false), ["from=2026-11-23&step=1h&device=a+b"]);
  deepEqual(await urls("day", "2026-10-25", false), ["from=2026-10-25&step=1h&to=2026-10-26&device=a+b"]);
  deepEqual(await urls("week", null, true), ["from=2026-11-23&step=1d&device=a+b", "from=2026-11-23&step=whole"]);
  deepEqual(await urls("month", "2026-10-25", false), ["from=2026-10-01&step=1d&to=2026-11-01&device=a+b"]);
});

test("why there is no energy is told", async () => {
  let why = "";
  const stop = keepEnergy("a", { period: "day", date: "2026-10-25" }, "2026-11-23", false, (_, failure) => (why = failure));
  (await next()).answer(503, { detail: "the disk is full" });
  await settled();
  equal(why, "the disk is full");
  stop();
});
