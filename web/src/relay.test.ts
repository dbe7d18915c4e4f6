import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { Command, RelayState } from "./api";
import { causeOf, failureOf, lifeOf, relaySituation, type Ask, type Situation } from "./relay";

function command(change: Partial<Command>): Command {
  return {
    id: "c1",
    device: "fridge",
    set: "off",
    cause: "api",
    asked_at: "2026-11-23T12:00:00Z",
    state: "sent",
    watts: "",
    reason: "",
    ...change,
  };
}

test("the button shows the node's word, never the request", () => {
  const asking: Ask = { on: false, failure: null };
  const refused: Ask = { on: false, failure: "The hub did not answer" };
  const bad = command({ state: "rejected", reason: "too soon" });
  const still = (state: RelayState): Situation => ({ state, truth: state, wanted: null, reason: "" });
  const cases: [string, RelayState, Command | null, Ask | null, string, Situation][] = [
    ["nothing asked", "on", null, null, "", still("on")],
    ["position not known", "unknown", null, null, "", still("unknown")],
    ["asked here", "on", null, asking, "", { state: "asking", truth: "on", wanted: "off", reason: "" }],
    ["asked elsewhere", "on", command({}), null, "", { state: "asking", truth: "on", wanted: "off", reason: "" }],
    ["acknowledged", "off", command({ state: "acknowledged" }), null, "", still("off")],
    ["refused by the node", "on", bad, null, "", { state: "failed", truth: "on", wanted: "off", reason: "The node refused: too soon" }],
    ["read and put away", "on", bad, null, "c1", still("on")],
    ["the hub was silent", "on", null, refused, "", { state: "failed", truth: "on", wanted: "off", reason: "The hub did not answer" }],
    ["refused though pending", "on", command({}), refused, "", { state: "failed", truth: "on", wanted: "off", reason: "The hub did not answer" }],
    ["failed, but came true", "off", command({ state: "unknown" }), null, "", still("off")],
    ["silent, but came true", "off", command({}), refused, "", still("off")],
    ["asked by others, who may try again", "on", command({ cause: "external, by phone", state: "unknown" }), null, "", still("on")],
    ["asked again after a failure", "on", bad, asking, "", { state: "asking", truth: "on", wanted: "off", reason: "" }],
  ];
  for (const [name, state, last, ask, dismissed, want] of cases) {
    deepEqual(relaySituation({ state, command: last }, ask, dismissed), want, name);
  }
});

test("a command's life is told in words, the watts' word apart", () => {
  equal(lifeOf(command({})), "asking for off…");
  equal(lifeOf(command({ state: "acknowledged", set: "on" })), "node says on");
  equal(lifeOf(command({ state: "acknowledged", set: "on", watts: "agrees" })), "node says on · watts agree");
  equal(lifeOf(command({ state: "acknowledged", watts: "disagrees" })), "node says off · watts disagree: still drawing");
  equal(lifeOf(command({ state: "acknowledged", watts: "cannot_tell" })), "node says off · watts cannot tell");
  equal(lifeOf(command({ state: "rejected", reason: "limit" })), "The node refused: limit");
});

test("what nobody asked for says why", () => {
  equal(lifeOf(command({ cause: "protection", state: "acknowledged", reason: "cut off 17.3 A", watts: "agrees" })), "node says off: cut off 17.3 A · watts agree");
  equal(causeOf(command({ cause: "external, by phone" })), "another MQTT client, by phone");
  equal(causeOf(command({ cause: "schedule 12" })), "schedule 12");
});

test("every way to fail has its sentence", () => {
  const sentences = (["rejected", "expired", "failed", "unknown"] as const).map((state) => failureOf(command({ state })));
  equal(new Set(sentences).size, 4);
  equal(failureOf(command({ state: "expired", reason: "11 s late" })).endsWith(": 11 s late"), true);
});
