import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { inForce, said, waiting, type Correction, type Finding } from "./corrections";

const found: Finding[] = [
  { at: "2026-11-23T08:00:10+01:00", held_wh: 0, reason: "", decision: "" },
  { at: "2026-11-24T08:00:10+01:00", held_wh: 215_000, reason: "too much", decision: "" },
  { at: "2026-11-25T08:00:10+01:00", held_wh: 7, reason: "too much", decision: "discard" },
];

function entry(id: string, kind: Correction["kind"], more: Partial<Correction> = {}): Correction {
  return { id, kind, made: "2026-11-26T08:00:00Z", by: "Ada", why: "a test", device: "kiln", ...more };
}

test("what is held and undecided waits", () => {
  deepEqual(waiting(found).map((finding) => finding.held_wh), [215_000]);
});

test("what was taken back is not in force, unless that was taken back, too", () => {
  const ids = (journal: Correction[]) => inForce(journal, "kiln").map((one) => one.id);
  const a = entry("a", "accept");
  const b = entry("b", "set");
  deepEqual(ids([a, b, entry("x", "reset", { device: "tv" })]), ["b", "a"]);
  deepEqual(ids([a, b, entry("u", "undo", { target: "a" })]), ["b"]);
  deepEqual(ids([a, b, entry("u", "undo", { target: "a" }), entry("v", "undo", { target: "u" })]), ["b", "a"]);
});

test("entries are told with the energy that they are about, by the site's clock", () => {
  const accepted = said(entry("a", "accept", { from: "2026-11-24T07:00:10Z" }), found);
  equal(accepted.startsWith("215.000\u00a0kWh found "), true, accepted);
  const set = said(entry("b", "set", { wh: 1500, from: "2026-11-24T08:00:00+01:00", to: "2026-11-24T09:15:00+01:00" }), found);
  equal(set.includes("1.500\u00a0kWh") && set.includes("08:00") && set.includes("09:15"), true, set);
});
