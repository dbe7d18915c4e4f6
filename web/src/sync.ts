// Keeping the page in step with the hub: live events change the state, every
// (re)connection fetches it anew, and a relay is switched by asking the hub.
import { batch } from "@preact/signals";
import { eventsURL, fetchDevices, fetchPower, putRelay, Refusal } from "./api";
import { EventStream, type EventHandlers } from "./events";
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
    void refresh();
  },
  reset: () => void refresh(),
  away: () => (state.connection.value = "away"),
  reading: (id, latest) => news(() => state.putReading(id, latest)),
  relay: (id, relay) => news(() => state.putRelay(id, relay)),
  command: (id, command) => news(() => state.putCommand(id, command)),
  device: (device) => news(() => deviceChanged(state.putDevice(device), device.id)),
};

/** start connects to the hub and keeps the page up to date for as long as it is open. */
export function start(): void {
  const stream = new EventStream(eventsURL, handlers);
  setInterval(state.tick, 1_000);
  addEventListener("online", () => stream.check());
  addEventListener("offline", () => stream.check());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") stream.check();
  });
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
  await fetchHistories(state.allEntries.peek().map((entry) => entry.id));
}

/** fetchSnapshot reports whether the hub answered with its devices. */
async function fetchSnapshot(): Promise<boolean> {
  try {
    const { devices, hubMillis } = await fetchDevices();
    batch(() => {
      if (hubMillis !== null) state.setHubClock(hubMillis);
      state.putDevices(devices);
    });
    return true;
  } catch {
    return false; // the page keeps what it shows, and asks again
  }
}

/** fetchHistories fetches what is stored of the last hour, a few devices at a time. */
async function fetchHistories(ids: readonly string[]): Promise<void> {
  const queue = ids.values();
  await Promise.all(
    Array.from({ length: parallelFetches }, async () => {
      for (const id of queue) await fetchHistory(id);
    }),
  );
}

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
