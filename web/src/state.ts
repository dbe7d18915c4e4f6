// What the page knows: one signal for each thing that is shown on its own, so
// that a reading redraws its tile and nothing else. This module changes the
// state and derives from it; sync.ts brings the news.
import { computed, signal, untracked, type ReadonlySignal, type Signal } from "@preact/signals";
import type { Alert, Command, Device, Latest, Relay } from "./api";
import { noBuckets, type Buckets } from "./buckets";
import { dateOf, type Energy } from "./energy";
import type { StepRangeName } from "./range";
import { isPending, relaySituation, type Ask, type Situation } from "./relay";
import { appendSample, emptySeries, gapIntervals, gridOf, houseTotal, mergeSeries, type Series } from "./series";

/** connecting: not heard yet; away: was or should be there, and does not answer. */
export type Connection = "connecting" | "live" | "away";

/** How much of the past the page knows. */
export const windowMillis = 3_600_000;
/** The spans that charts may have: those of a young hub grow in steps, so that they stand still in between. */
const spansMillis = [60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000, windowMillis];
/** How many points the house's chart has at the most, and how close they may be. */
const gridPoints = 720;
const leastGridMillis = 1_000;

export const connection = signal<Connection>("connecting");

/** How often the hub said hello: what was fetched before the last one may be old. */
export const connections = signal(0);

/** How far the hub's clock is ahead of the browser's; ages and charts are in the hub's time. */
const hubAheadMillis = signal(0);
const browserMillis = signal(Date.now());
const nowMillis = computed(() => browserMillis.value + hubAheadMillis.value);

/** When the hub was last heard, in the hub's time. */
const heardMillis = signal(0);

/** The instant that the page shows: now, or while the hub is away the moment it was last heard. */
export const pictureMillis = computed(() =>
  connection.value === "away" && heardMillis.value > 0 ? heardMillis.value : nowMillis.value,
);

/** What the page knows of a device's past in steps. */
export interface Past {
  readonly buckets: Buckets;
  /** Whether the hub has answered; what it answered stands until the next answer. */
  readonly known: boolean;
  /** Why there is nothing yet; "" while the answer is awaited. */
  readonly failure: string;
}

const noPast: Past = { buckets: noBuckets, known: false, failure: "" };

/** A device and everything the page keeps beside it. */
export class Entry {
  readonly id: string;
  readonly device: Signal<Device>;
  /** Whether the last hour was fetched. */
  readonly stored = signal(false);
  /** The power of the last hour. */
  readonly power = signal<Series>(emptySeries);
  /** The longer ranges, each fetched when somebody looks at it. */
  readonly past: Readonly<Record<StepRangeName, Signal<Past>>> = { "24h": signal(noPast), "7d": signal(noPast) };
  /** What this page asked of the relay. */
  readonly ask = signal<Ask | null>(null);
  /** The command whose failure was read and put away. */
  readonly dismissed = signal("");

  /** Whether somebody is choosing a position for a relay whose own is not known. */
  readonly choosing = signal(false);

  /** Time since the latest reading in steps of a second, so that nothing is redrawn in between; null before the first. */
  readonly ageMillis: ReadonlySignal<number | null> = computed(() => {
    const latest = this.device.value.latest;
    return latest && Math.max(0, Math.floor((pictureMillis.value - Date.parse(latest.at)) / 1000) * 1000);
  });
  /** The latest reading is older than three intervals. */
  readonly stale = computed(() => (this.ageMillis.value ?? 0) > gapIntervals * this.device.value.interval_ms);
  readonly situation: ReadonlySignal<Situation> = computed(() =>
    relaySituation(this.device.value.relay, this.ask.value, this.dismissed.value),
  );

  constructor(device: Device) {
    this.id = device.id;
    this.device = signal(device);
  }
}

/** A room and its devices by name; name is "" for devices without a room. */
export interface Room {
  readonly name: string;
  readonly entries: readonly Entry[];
}

const entries = new Map<string, Entry>();

/** The rooms by name, those without last; null until the hub first told. */
export const rooms = signal<readonly Room[] | null>(null);

export const allEntries = computed(() => rooms.value?.flatMap((room) => room.entries) ?? []);

export function entryOf(id: string): Entry | undefined {
  return entries.get(id);
}

/** What people should know now, newest first. */
export const alerts = signal<readonly Alert[]>([]);

/** Those of it that nobody has seen yet. */
export const unseenAlerts = computed(() => alerts.value.filter((alert) => alert.acknowledged_at === null));

export function alertsOf(id: string): readonly Alert[] {
  return alerts.value.filter((alert) => alert.device === id);
}

// The house: all devices without a parent, because a parent measures its children, too.

export const topEntries = computed(() => allEntries.value.filter((entry) => !entry.device.value.parent));

export interface House {
  /** null when no device counts. */
  readonly watts: number | null;
  readonly counted: number;
  readonly devices: number;
}

export const house = computed<House>(() => {
  const all = topEntries.value.map((entry) => entry.device.value);
  const counting = all.filter(counts).map((device) => device.latest?.power ?? 0);
  const watts = counting.length === 0 ? null : counting.reduce((sum, w) => sum + w, 0);
  return { watts, counted: counting.length, devices: all.length };
});

/** counts says whether a device's latest power is part of the house now. */
export function counts(device: Device): boolean {
  return device.online && !device.meter_silent && device.latest?.power !== undefined;
}

/** The devices that this one measures, too. */
export function childrenOf(id: string): readonly Entry[] {
  return allEntries.value.filter((entry) => entry.device.value.parent === id);
}

/** unmeteredWatts is what a parent measures beyond its children; null where that is nothing or not known. Meters are not read at the same instant, so that it may be negative for a moment. */
export function unmeteredWatts(parent: Device, children: readonly Device[]): number | null {
  if (children.length === 0 || !counts(parent)) return null;
  const metered = children.filter(counts).reduce((sum, child) => sum + (child.latest?.power ?? 0), 0);
  const rest = (parent.latest?.power ?? 0) - metered;
  return rest > 0 ? rest : null;
}

/** Whether every device's last hour was fetched, and the charts are whole. */
export const allStored = computed(() => allEntries.value.every((entry) => entry.stored.value));

/** The span of every chart on the page: an hour, or less while nothing is that old. */
export const spanMillis = computed(() => {
  if (!allStored.value) return windowMillis;
  const oldest = allEntries.value.reduce((min, entry) => Math.min(min, entry.power.value.tMillis[0] ?? Infinity), Infinity);
  const known = oldest === Infinity ? windowMillis : pictureMillis.value - oldest;
  return spansMillis.find((span) => span >= known) ?? windowMillis;
});

/** The house's power over that span, computed at most once a second. */
export const housePower = computed<Series>(() => {
  const to = pictureMillis.value;
  const span = spanMillis.value;
  const grid = gridOf(to - span, to, Math.max(leastGridMillis, span / gridPoints));
  const top = topEntries.value;
  void allStored.value; // what was stored is drawn as soon as it came in
  return untracked(() => {
    const parts = top.map((entry) => ({
      series: entry.power.value,
      intervalMillis: entry.device.value.interval_ms,
      counted: counts(entry.device.value),
    }));
    return houseTotal(parts, grid);
  });
});

/** What everybody used since the midnight of the site; null until the hub told. */
export const today = signal<Energy | null>(null);

/** How often this page had something entered into the journal of energy: what was fetched before that is old. */
export const decisions = signal(0);

/** Which date it is at the site; null until the hub told. */
export const todaysDate = computed(() => today.value && dateOf(today.value.from));

// Changes.

/** tick moves the time; to be called every second. */
export function tick(): void {
  browserMillis.value = Date.now();
}

/** setHubClock takes the hub's time from an answer that carries it in whole seconds; what is within that and a network's delay is no difference. */
export function setHubClock(hubMillis: number): void {
  const ahead = hubMillis + 500 - Date.now();
  hubAheadMillis.value = Math.abs(ahead) < 2_000 ? 0 : ahead;
}

export function heard(): void {
  heardMillis.value = Date.now() + hubAheadMillis.peek();
}

/** putDevices replaces the list of devices; what is kept beside a device stays. */
export function putDevices(devices: readonly Device[]): void {
  const known = new Set(devices.map((device) => device.id));
  for (const id of entries.keys()) {
    if (!known.has(id)) entries.delete(id);
  }
  for (const device of devices) {
    setDevice(device);
  }
  arrange();
}

export type DeviceChange = "new" | "returned" | "changed";

/** putDevice adds or changes one device. */
export function putDevice(device: Device): DeviceChange {
  const before = entries.get(device.id)?.device.peek();
  setDevice(device);
  if (!before || before.name !== device.name || before.room !== device.room || before.parent !== device.parent) {
    arrange();
  }
  if (!before) return "new";
  return device.online && !before.online ? "returned" : "changed";
}

/** setDevice keeps the newest reading: the hub may have told of it before it told of the device. */
function setDevice(device: Device): void {
  const entry = entries.get(device.id);
  if (!entry) {
    entries.set(device.id, new Entry(device));
    return;
  }
  const known = entry.device.peek().latest;
  const newest = isNewer(known, device.latest) ? known : device.latest;
  entry.device.value = { ...device, latest: newest };
  forgetAnswered(entry);
}

function isNewer(a: Latest | null, b: Latest | null): boolean {
  return a !== null && (b === null || Date.parse(a.at) > Date.parse(b.at));
}

/** arrange puts rooms and devices in order by name. A meter above others stands first, and so does its room. */
function arrange(): void {
  const byRoom = new Map<string, Entry[]>();
  const parents = new Set(Array.from(entries.values(), (entry) => entry.device.peek().parent));
  const isParent = (entry: Entry) => parents.has(entry.id);
  for (const entry of entries.values()) {
    const room = entry.device.peek().room;
    byRoom.set(room, [...(byRoom.get(room) ?? []), entry]);
  }
  const order = new Intl.Collator(undefined, { numeric: true }).compare;
  rooms.value = [...byRoom]
    .sort(
      ([a, inA], [b, inB]) =>
        Number(inB.some(isParent)) - Number(inA.some(isParent)) || Number(a === "") - Number(b === "") || order(a, b),
    )
    .map(([name, members]) => ({
      name,
      entries: members.sort(
        (a, b) => Number(isParent(b)) - Number(isParent(a)) || order(a.device.peek().name, b.device.peek().name),
      ),
    }));
}

/** putAlerts replaces the open alerts. */
export function putAlerts(open: readonly Alert[]): void {
  alerts.value = open;
}

/** putAlert takes the news of one alert; one that is over is no more. */
export function putAlert(alert: Alert): void {
  const others = alerts.peek().filter((other) => other.id !== alert.id);
  const open = alert.cleared_at === null ? [alert, ...others] : others;
  alerts.value = open.sort((a, b) => Date.parse(b.raised_at) - Date.parse(a.raised_at));
}

/** putReading takes a live reading; one that is older than what is known changes nothing. */
export function putReading(id: string, latest: Latest): void {
  const entry = entries.get(id);
  if (!entry || isNewer(entry.device.peek().latest, latest)) return;
  const at = Date.parse(latest.at);
  entry.device.value = { ...entry.device.peek(), latest, last_seen: latest.at };
  entry.power.value = appendSample(entry.power.peek(), at, latest.power ?? null, nowMillis.peek() - windowMillis);
}

/** putStored takes the last hour as the hub keeps it. */
export function putStored(id: string, stored: Series): void {
  const entry = entries.get(id);
  if (!entry) return;
  entry.power.value = mergeSeries(stored, entry.power.peek());
  entry.stored.value = true;
}

/** putPast takes a longer range as the hub sums it up. */
export function putPast(id: string, range: StepRangeName, buckets: Buckets): void {
  const entry = entries.get(id);
  if (entry) entry.past[range].value = { buckets, known: true, failure: "" };
}

/** failPast says why a longer range did not come; what came before stands. */
export function failPast(id: string, range: StepRangeName, failure: string): void {
  const entry = entries.get(id);
  if (entry) entry.past[range].value = { ...entry.past[range].peek(), failure };
}

export function putRelay(id: string, relay: Relay): void {
  const entry = entries.get(id);
  if (!entry) return;
  entry.device.value = { ...entry.device.peek(), relay };
  forgetAnswered(entry);
}

/** putCommand takes the news of a command. */
export function putCommand(id: string, command: Command): void {
  const entry = entries.get(id);
  if (!entry) return;
  putRelay(id, { ...entry.device.peek().relay, command });
  if (!isPending(command) && entry.ask.peek()?.failure != null) {
    entry.ask.value = null; // what the hub says of it now is the whole story
  }
}

export function setAsk(id: string, ask: Ask | null): void {
  const entry = entries.get(id);
  if (entry) entry.ask.value = ask;
}

/** dismiss takes the note of a failure away. */
export function dismiss(entry: Entry): void {
  entry.ask.value = null;
  entry.dismissed.value = entry.device.peek().relay.command?.id ?? "";
}

/** forgetAnswered drops a failed request that came true late, lest it reappear when the relay moves again. */
function forgetAnswered(entry: Entry): void {
  const ask = entry.ask.peek();
  if (ask?.failure != null && entry.device.peek().relay.state === (ask.on ? "on" : "off")) {
    entry.ask.value = null;
  }
}
