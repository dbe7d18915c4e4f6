import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { deviceHref, parseRoute } from "./route";

test("a device's address leads to the device", () => {
  for (const id of ["fridge", "ESP32-AB12.c_d", "node:1", "a b/ü%"]) {
    deepEqual(parseRoute(deviceHref(id)), { page: "device", id });
  }
});

test("every other address leads home", () => {
  for (const hash of ["", "#", "#/", "#/nowhere", "#/device/%"]) {
    deepEqual(parseRoute(hash), { page: "home" });
  }
});
