import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { EventStream, type EventHandlers, type Source, type Surroundings } from "./events";

/** A source that the test speaks for. */
class FakeSource implements Source {
  onerror: ((event: Event) => void) | null = null;
  closed = false;
  readonly #listeners = new Map<string, (event: MessageEvent<string>) => void>();

  addEventListener(name: string, listener: (event: MessageEvent<string>) => void): void {
    this.#listeners.set(name, listener);
  }
  close(): void {
    this.closed = true;
  }
  say(name: string, data: unknown = {}): void {
    this.#listeners.get(name)?.({ data: JSON.stringify(data) } as MessageEvent<string>);
  }
  fail(): void {
    this.onerror?.({} as Event);
  }
}

/** Opens fake sources and holds the one timer that is running. */
class FakeSurroundings implements Surroundings {
  readonly sources: FakeSource[] = [];
  timer: { millis: number; callback: () => void } | null = null;

  open(): Source {
    const source = new FakeSource();
    this.sources.push(source);
    return source;
  }
  after(millis: number, callback: () => void): () => void {
    const timer = { millis, callback };
    this.timer = timer;
    return () => {
      if (this.timer === timer) this.timer = null;
    };
  }
  elapse(): number {
    const timer = this.timer;
    this.timer = null;
    timer?.callback();
    return timer?.millis ?? 0;
  }
  get source(): FakeSource {
    return this.sources.at(-1) as FakeSource;
  }
}

function begin(): { around: FakeSurroundings; heard: string[]; stream: EventStream } {
  const around = new FakeSurroundings();
  const heard: string[] = [];
  const handlers: EventHandlers = {
    hello: () => heard.push("hello"),
    reset: () => heard.push("reset"),
    reading: (id, latest) => heard.push(`reading ${id} ${latest.power}`),
    device: (device) => heard.push(`device ${device.id}`),
    relay: (id, relay) => heard.push(`relay ${id} ${relay.state}`),
    command: (id, command) => heard.push(`command ${id} ${command.state}`),
    alert: (alert) => heard.push(`alert ${alert.id}`),
    away: () => heard.push("away"),
  };
  return { around, heard, stream: new EventStream("/events", handlers, around) };
}

test("every event reaches its handler", () => {
  const { around, heard } = begin();
  around.source.say("hello");
  around.source.say("reading", { device: "fridge", latest: { at: "", power: 85 } });
  around.source.say("device", { id: "fridge" });
  around.source.say("relay", { device: "fridge", relay: { state: "on", command: null } });
  around.source.say("command", { device: "fridge", command: { state: "sent" } });
  around.source.say("reset");
  around.source.say("something new");
  deepEqual(heard, ["hello", "reading fridge 85", "device fridge", "relay fridge on", "command fridge sent", "reset"]);
});

test("a lost hub is away once, and asked again ever more slowly", () => {
  const { around, heard } = begin();
  around.source.say("hello");
  const waits: number[] = [];
  for (let i = 0; i < 5; i++) {
    around.source.fail();
    equal(around.source.closed, true);
    waits.push(around.elapse());
  }
  deepEqual(heard, ["hello", "away"]);
  deepEqual(waits, [500, 1000, 2000, 4000, 4000]);

  around.source.say("hello");
  around.source.fail();
  deepEqual(heard, ["hello", "away", "hello", "away"]);
  equal(around.elapse(), 500);
});

test("a connection without a hello is given up", () => {
  const { around, heard } = begin();
  around.elapse();
  deepEqual(heard, ["away"]);
  equal(around.source.closed, true);
});

test("a stream that falls silent is opened anew, without an alarm while the hub still answers", () => {
  const { around, heard } = begin();
  around.source.say("hello");
  const silence = around.elapse();
  equal(silence, 15_000);
  equal(around.sources.length, 2);
  equal(around.sources[0]?.closed, true);
  deepEqual(heard, ["hello"]);
  around.source.say("hello");
  deepEqual(heard, ["hello", "hello"]);
});

test("waking up opens the stream anew", () => {
  const { around, stream } = begin();
  around.source.say("hello");
  stream.check();
  equal(around.sources.length, 2);
  equal(around.sources[0]?.closed, true);
});
