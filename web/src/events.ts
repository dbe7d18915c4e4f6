// The hub's live events. An EventStream keeps one EventSource open, notices
// when it is dead without having been closed (a hub that lost its power sends
// no goodbye), and opens another until one answers.
//
// Every opening ends in a hello, after which the state is fetched anew: that
// is one way to be right instead of two, one for a short and one for a long
// absence.
import type { Alert, Command, Device, Latest, Relay } from "./api";

export interface EventHandlers {
  /** The stream is open: what was known before may be old. */
  hello(): void;
  /** Events were lost: fetch the state anew. */
  reset(): void;
  reading(id: string, latest: Latest): void;
  device(device: Device): void;
  relay(id: string, relay: Relay): void;
  command(id: string, command: Command): void;
  alert(alert: Alert): void;
  /** The hub cannot be reached. Called once for each absence. */
  away(): void;
}

/** What an EventStream needs of an EventSource. */
export interface Source {
  addEventListener(name: string, listener: (event: MessageEvent<string>) => void): void;
  onerror: ((event: Event) => void) | null;
  close(): void;
}

/** Opens a source, and calls something later; replaced in tests. */
export interface Surroundings {
  open(url: string): Source;
  /** after calls back once and returns how to prevent that. */
  after(millis: number, callback: () => void): () => void;
}

/** A hub that accepts a connection says hello at once. */
const helloWithinMillis = 5_000;
/** Three intervals of an ordinary meter: silence is checked by opening the stream anew. */
const silenceMillis = 15_000;
const firstRetryMillis = 500;
const lastRetryMillis = 4_000;

const browser: Surroundings = {
  open: (url) => new EventSource(url),
  after: (millis, callback) => {
    const timer = setTimeout(callback, millis);
    return () => clearTimeout(timer);
  },
};

export class EventStream {
  readonly #url: string;
  readonly #handlers: EventHandlers;
  readonly #around: Surroundings;
  #source: Source | null = null;
  #cancelTimer: () => void = () => {};
  #retryMillis = firstRetryMillis;
  #away = false;

  constructor(url: string, handlers: EventHandlers, around: Surroundings = browser) {
    this.#url = url;
    this.#handlers = handlers;
    this.#around = around;
    this.#open();
  }

  /** check opens the stream anew, for moments in which it may have died unnoticed: the page was asleep, or the network changed. */
  check(): void {
    this.#open();
  }

  #open(): void {
    this.#source?.close();
    const source = this.#around.open(this.#url);
    this.#source = source;
    source.onerror = () => this.#lost();
    this.#listen<unknown>(source, "hello", () => this.#hello());
    this.#listen<unknown>(source, "reset", () => this.#handlers.reset());
    this.#listen<{ device: string; latest: Latest }>(source, "reading", (e) => this.#handlers.reading(e.device, e.latest));
    this.#listen<Device>(source, "device", (e) => this.#handlers.device(e));
    this.#listen<{ device: string; relay: Relay }>(source, "relay", (e) => this.#handlers.relay(e.device, e.relay));
    this.#listen<{ device: string; command: Command }>(source, "command", (e) => this.#handlers.command(e.device, e.command));
    this.#listen<{ alert: Alert }>(source, "alert", (e) => this.#handlers.alert(e.alert));
    this.#expect(helloWithinMillis, () => this.#lost());
  }

  #listen<T>(source: Source, name: string, handle: (payload: T) => void): void {
    source.addEventListener(name, (event) => {
      this.#expect(silenceMillis, () => this.#open());
      handle(JSON.parse(event.data) as T);
    });
  }

  #hello(): void {
    this.#away = false;
    this.#retryMillis = firstRetryMillis;
    this.#handlers.hello();
  }

  /** lost closes the source rather than let it reconnect by itself: after some errors it does not, and none of its own attempts has a deadline. */
  #lost(): void {
    this.#source?.close();
    this.#source = null;
    this.#expect(this.#retryMillis, () => this.#open());
    this.#retryMillis = Math.min(this.#retryMillis * 2, lastRetryMillis);
    if (!this.#away) {
      this.#away = true;
      this.#handlers.away();
    }
  }

  /** expect replaces what is done when nothing happens. */
  #expect(millis: number, otherwise: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#around.after(millis, otherwise);
  }
}
