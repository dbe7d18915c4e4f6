import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import * as format from "./format";

test("power keeps a decimal only where it matters", () => {
  const cases: [number, string][] = [
    [0, "0"],
    [0.04, "0"],
    [0.4, "0.4"],
    [9.94, "9.9"],
    [9.96, "10"],
    [84.6, "85"],
    [1243.4, "1243"],
    [9999.4, "9999"],
    [12345, "12\u202f345"],
    [-3.2, "\u22123.2"],
    [-0.01, "0"],
  ];
  for (const [watts, value] of cases) {
    deepEqual(format.power(watts), { value, unit: "W" }, String(watts));
  }
});

test("the other quantities are no finer than the meter measures", () => {
  equal(format.text(format.voltage(230)), "230.0\u00a0V");
  equal(format.text(format.current(0.372)), "0.372\u00a0A");
  equal(format.text(format.current(0.9999)), "1.00\u00a0A");
  equal(format.text(format.current(16)), "16.00\u00a0A");
  equal(format.text(format.apparentPower(88.4)), "88\u00a0VA");
  equal(format.text(format.frequency(49.98)), "50.0\u00a0Hz");
  equal(format.text(format.powerFactor(0.9)), "0.90");
});

test("energy reads in kWh, to the watt hour", () => {
  equal(format.text(format.energy(412_350)), "412.350\u00a0kWh");
  equal(format.text(format.energy(4)), "0.004\u00a0kWh");
  equal(format.text(format.energy(-1234)), "\u22121.234\u00a0kWh");
  equal(format.text(format.energy(1_234_567_891)), "1\u202f234\u202f567.891\u00a0kWh");
});

test("money keeps the hub's digits", () => {
  const digits = (amount: string, currency: string) => format.amount({ amount, currency }).replace(/[^\d.,-]/g, "");
  equal(digits("3.84", "EUR"), "3.84");
  equal(digits("0.00", "EUR"), "0.00");
  equal(digits("-12.345", "EUR"), "-12.345");
  equal(digits("17", "JPY"), "17");
});

test("an axis marks round numbers", () => {
  equal(format.wattMark(5), "5\u00a0W");
  equal(format.wattMark(2.5), "2.5\u00a0W");
  equal(format.energyMark(2500), "2.5\u00a0kWh");
  equal(format.energyMark(0), "0");
  equal(format.wattMark(20_000), "20\u202f000\u00a0W");
});

test("an age is told in its largest unit", () => {
  const cases: [number, string][] = [
    [-500, "0 s ago"],
    [59_999, "59 s ago"],
    [60_000, "1 min ago"],
    [3_599_999, "59 min ago"],
    [3_600_000, "1 h ago"],
    [172_800_000, "2 d ago"],
  ];
  for (const [millis, want] of cases) {
    equal(format.age(millis), want, String(millis));
  }
});

test("a moment of another day carries its date", () => {
  const noon = new Date(2026, 10, 23, 12, 0, 5).getTime();
  equal(format.moment(noon, noon + 3_600_000), format.secondOfDay(noon));
  equal(format.moment(noon, noon + 86_400_000).includes("23"), true);
});

test("a chart's length has a name", () => {
  equal(format.span(3_600_000), "hour");
  equal(format.span(300_000), "5\u00a0min");
});

test("nouns follow their number", () => {
  equal(format.count(1, "message"), "1\u00a0message");
  equal(format.count(12, "message"), "12\u00a0messages");
});
