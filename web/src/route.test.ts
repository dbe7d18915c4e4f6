import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { rangeNames } from "./range";
import { periods } from "./calendar";
import { deviceHref, homeHref, nodesHref, parseRoute } from "./route";

const thisWeek = { period: "week", date: null } as const;

test("a device's address says what its energy chart shows", () => {
  for (const period of periods) {
    for (const date of [null, "2026-10-25"]) {
      deepEqual(parseRoute(deviceHref("fridge", "7d", { period, date })), { page: "device", id: "fridge", range: "7d", energy: { period, date } });
    }
  }
  deepEqual(parseRoute("#/device/fridge?energy=year&on=2026-02-30").energy, thisWeek);
});

test("a device's address leads to the device and its range", () => {
  for (const id of ["fridge", "ESP32-AB12.c_d", "node:1", "a b/ü%", "what?range=7d"]) {
    for (const range of rangeNames) {
      deepEqual(parseRoute(deviceHref(id, range)), { page: "device", id, range, energy: thisWeek });
    }
  }
});

test("the nodes have a place of their own", () => {
  deepEqual(parseRoute(nodesHref), { page: "nodes", range: "1h", energy: thisWeek });
});

test("home has its range in the address, too", () => {
  for (const range of rangeNames) {
    deepEqual(parseRoute(homeHref(range)), { page: "home", range, energy: thisWeek });
  }
});

test("every other address leads home, every other range to the last hour", () => {
  for (const hash of ["", "#", "#/", "#/nowhere", "#/device/%", "#/?range=", "#/?range=8d", "#/?other=7d"]) {
    deepEqual(parseRoute(hash), { page: "home", range: "1h", energy: thisWeek });
  }
});
