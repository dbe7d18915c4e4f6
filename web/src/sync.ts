// Keeping the page in step with the hub: live events change the state, every
// (re)connection fetches it anew, and a relay is switched by asking the hub.
import { batch, computed, effect } from "@preact/signals";
import {
  eventsURL,
  fetchAlerts,
  fetchBuckets,
  fetchDevices,
  fetchEnergy,
  fetchFindings,
  fetchJournal,
  fetchPower,
  fetchToday,
  patchDevice,
  postAcknowledge,
  postCorrection,
  postReset,
  putRelay,
  Refusal,
} from "./api";
import { datesOf } from "./calendar";
import type { Correction, Decision, Finding } from "./corrections";
import type { Energy } from "./energy";
import { EventStream, type EventHandlers } from "./events";
import type { LoadKind, Settings } from "./api";
import { stepRanges, type StepRangeName } from "./range";
import { Refetch } from "./refetch";
import type { When } from "./route";
import { isPending } from "./relay";
import * as state from "./state";

/** How many histories are fetched at the same time: the hub may be a small computer. */
const parallelFetches = 4;
const retryMillis = 2_000;
/** A node that returns first sends what it kept; its chart is fetched anew after that. */
const backlogMillis = 15_000;

/** What each event of the hub does to the page. */
export const handlers: EventHandlers = {
  hello() {
    state.heard();
    state.connection.value = "live";
    state.connections.value++;
    void refresh();
  },
  reset: () => void refresh(),
  away: () => (state.connection.value = "away"),
  reading: (id, latest) => news(() => state.putReading(id, latest)),
  relay: (id, relay) => news(() => state.putRelay(id, relay)),
  command: (id, command) => news(() => state.putCommand(id, command)),
  alert: (alert) => news(() => state.putAlert(alert)),
  device: (device) => news(() => deviceChanged(state.putDevice(device), device.id)),
};

/** start connects to the hub and keeps the page up to date for as long as it is open. */
export function start(): void {
  const stream = new EventStream(eventsURL, handlers);
  const arrived = computed(() => state.rooms.value !== null && state.allStored.value);
  effect(() => (state.connections.value > 0 && arrived.value ? keepLastHours() : undefined));
  effect(() => (state.connections.value + state.decisions.value > 0 ? keepToday() : undefined));
  setInterval(state.tick, 1_000);
  addEventListener("online", () => stream.check());
  addEventListener("offline", () => stream.check());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") stream.check();
  });
}

/** Within this of its window's begin a device's last hour is whole. */
const wholeWithinMillis = 60_000;

/** keepLastHours fetches again those last hours that are still coming in; what is new arrives live. It returns how to stop. */
export function keepLastHours(): () => void {
  return keep(Infinity, async () => {
    const begin = state.pictureMillis.peek() - state.windowMillis + wholeWithinMillis;
    const missing = state.allEntries.peek().filter((entry) => (entry.power.peek().tMillis[0] ?? Infinity) > begin);
    await fetchAll(missing.map((entry) => entry.id), fetchHistory);
    return missing.flatMap((entry) => entry.power.peek().tMillis);
  });
}

/** keepPast fetches a longer range of some devices, and keeps it up to date. It returns how to stop. */
export function keepPast(range: StepRangeName, ids: readonly string[]): () => void {
  return keep(stepRanges[range].stepMillis, async () => {
    await fetchAll(ids, (id) => fetchPast(id, range));
    return ids.flatMap((id) => state.entryOf(id)?.past[range].peek().buckets.tMillis ?? []);
  });
}

/** keep fetches now and whenever that is due. */
function keep(stepMillis: number, fetchKnown: () => Promise<readonly number[]>): () => void {
  const due = new Refetch(state.pictureMillis.peek(), stepMillis);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  const turn = async () => {
    const known = await fetchKnown();
    const waitMillis = due.next(state.pictureMillis.peek(), known);
    if (!stopped && waitMillis < Infinity) timer = setTimeout(() => void turn(), waitMillis);
  };
  void turn();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

/** How often energy is asked for: a load of 2 kW moves it by 5 Wh meanwhile. */
const energyMillis = 10_000;

/** keepToday fetches what was used today, now and from time to time. It returns how to stop. */
export function keepToday(): () => void {
  return repeat(async () => {
    state.today.value = await fetchToday();
  });
}

/** What a device used in a period: by step, and with the children and the rest if it is a parent. */
export interface PeriodEnergy {
  readonly steps: Energy;
  readonly whole: Energy | null;
}

/** keepEnergy fetches a period of a device, once if it is over and else from time to time, and hands over each answer, or why there is none. It returns how to stop. */
export function keepEnergy(
  id: string,
  { period, date }: When,
  today: string,
  parent: boolean,
  take: (energy: PeriodEnergy | null, failure: string) => void,
): () => void {
  const dates = datesOf(period, date ?? today);
  const step = period === "day" ? "1h" : "1d";
  return repeat(
    async () => {
      const [steps, whole] = await Promise.all([
        fetchEnergy(dates, today, step, id),
        parent ? fetchEnergy(dates, today, "whole") : null,
      ]);
      take({ steps, whole }, "");
    },
    dates.to > today,
    (failure) => take(null, failure),
  );
}

/** fetchDecisions returns what was found about a device, and the journal; neither where the hub does not tell. */
export async function fetchDecisions(id: string): Promise<{ findings: Finding[]; journal: Correction[] }> {
  try {
    const [findings, journal] = await Promise.all([fetchFindings(id), fetchJournal()]);
    return { findings, journal };
  } catch {
    return { findings: [], journal: [] };
  }
}

/** decide enters a decision, and returns why it could not be; "" if it was. */
export async function decide(decision: Decision, by: string, why: string): Promise<string> {
  try {
    await postCorrection(decision, by, why);
    state.decisions.value++;
    return "";
  } catch (error) {
    return whyOf(error);
  }
}

/** repeat does something now, and goes on if it should. It returns how to stop. */
function repeat(act: () => Promise<void>, goOn = true, fail: (why: string) => void = () => {}): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  const turn = async () => {
    let failed = false;
    try {
      if (document.visibilityState === "visible") await act();
    } catch (error) {
      failed = true;
      if (!stopped) fail(whyOf(error));
    }
    if (!stopped && (goOn || failed)) timer = setTimeout(() => void turn(), energyMillis);
  };
  void turn();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

function whyOf(error: unknown): string {
  return error instanceof Refusal ? error.message : "the hub did not answer";
}

async function fetchPast(id: string, range: StepRangeName): Promise<void> {
  const { spanMillis, stepMillis, step } = stepRanges[range];
  const to = state.pictureMillis.peek();
  const from = Math.floor((to - spanMillis) / stepMillis) * stepMillis;
  try {
    state.putPast(id, range, await fetchBuckets(id, from, to, step));
  } catch (error) {
    state.failPast(id, range, whyOf(error));
  }
}

/** Changes that wait for the snapshot being fetched: applied before it, an older snapshot would undo them. */
let waiting: (() => void)[] | null = null;
let refreshWanted = false;

function news(change: () => void): void {
  state.heard();
  if (waiting) {
    waiting.push(change);
  } else {
    batch(change);
  }
}

/** refresh fetches the devices and then their last hour; called while it runs, it runs once more. */
async function refresh(): Promise<void> {
  refreshWanted = true;
  if (waiting) return;
  while (refreshWanted) {
    refreshWanted = false;
    waiting = [];
    const done = await fetchSnapshot();
    const changes: (() => void)[] = waiting;
    waiting = null;
    batch(() => changes.forEach((change) => change()));
    if (!done) {
      setTimeout(() => state.connection.value === "live" && void refresh(), retryMillis);
      return;
    }
  }
  await fetchAll(state.allEntries.peek().map((entry) => entry.id), fetchHistory);
}

/** fetchSnapshot reports whether the hub answered with its devices. */
async function fetchSnapshot(): Promise<boolean> {
  try {
    const [{ devices, hubMillis }, alerts] = await Promise.all([fetchDevices(), fetchAlerts()]);
    batch(() => {
      if (hubMillis !== null) state.setHubClock(hubMillis);
      state.putDevices(devices);
      state.putAlerts(alerts);
    });
    return true;
  } catch {
    return false; // the page keeps what it shows, and asks again
  }
}

/** fetchAll fetches something of each device, a few at a time. */
async function fetchAll(ids: readonly string[], fetchOne: (id: string) => Promise<void>): Promise<void> {
  const queue = ids.values();
  await Promise.all(
    Array.from({ length: parallelFetches }, async () => {
      for (const id of queue) await fetchOne(id);
    }),
  );
}

/** fetchHistory fetches what is stored of the last hour. */
async function fetchHistory(id: string): Promise<void> {
  const to = state.pictureMillis.peek();
  try {
    state.putStored(id, await fetchPower(id, to - state.windowMillis, to));
  } catch {
    // The chart shows what arrived live; the next connection fetches again.
    state.putStored(id, { tMillis: [], watts: [] });
  }
}

function deviceChanged(change: state.DeviceChange, id: string): void {
  if (change === "new") {
    void fetchHistory(id);
  } else if (change === "returned") {
    setTimeout(() => void fetchHistory(id), backlogMillis);
  }
}

// What people ask for beside switching. Each returns why it did not work; "" if it did.

/** acknowledge tells the hub that an alert was seen. */
export function acknowledge(id: string): Promise<string> {
  return whyNot(async () => state.putAlert(await postAcknowledge(id)));
}

/** configure says what a device is, and all that is chosen for its node. */
export function configure(id: string, kind: LoadKind, settings: Settings): Promise<string> {
  return whyNot(async () => state.putDevice(await patchDevice(id, { kind, settings })));
}

/** resetProtection has a node that cut off obey commands again. */
export function resetProtection(id: string): Promise<string> {
  return whyNot(() => postReset(id));
}

async function whyNot(act: () => Promise<unknown>): Promise<string> {
  try {
    await act();
    return "";
  } catch (error) {
    return error instanceof Refusal ? error.message : "The hub did not answer";
  }
}

/** switchRelay asks the hub to move a relay. The button follows the node's answer, not the request. */
export async function switchRelay(id: string, on: boolean): Promise<void> {
  state.setAsk(id, { on, failure: null });
  try {
    const { state: position, command } = await putRelay(id, on);
    batch(() => {
      state.putRelay(id, { state: position, command });
      state.setAsk(id, null);
    });
  } catch (error) {
    batch(() => refused(id, on, error));
  }
}

function refused(id: string, on: boolean, error: unknown): void {
  const relay = error instanceof Refusal ? error.relay : null;
  if (relay) {
    state.putRelay(id, relay);
  }
  if (relay?.command && !isPending(relay.command)) {
    state.setAsk(id, null); // the command itself says why
  } else if (relay) {
    state.setAsk(id, { on, failure: "No answer from the node yet" });
  } else {
    state.setAsk(id, { on, failure: error instanceof Refusal ? error.message : "The hub did not answer" });
  }
}
