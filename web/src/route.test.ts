import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { rangeNames } from "./range";
import { deviceHref, homeHref, parseRoute } from "./route";

test("a device's address leads to the device and its range", () => {
  for (const id of ["fridge", "ESP32-AB12.c_d", "node:1", "a b/ü%", "what?range=7d"]) {
    for (const range of rangeNames) {
      deepEqual(parseRoute(deviceHref(id, range)), { page: "device", id, range });
    }
  }
});

test("home has its range in the address, too", () => {
  for (const range of rangeNames) {
    deepEqual(parseRoute(homeHref(range)), { page: "home", range });
  }
});

test("every other address leads home, every other range to the last hour", () => {
  for (const hash of ["", "#", "#/", "#/nowhere", "#/device/%", "#/?range=", "#/?range=8d", "#/?other=7d"]) {
    deepEqual(parseRoute(hash), { page: "home", range: "1h" });
  }
});
