import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { after, before, datesIn, datesOf, isDate, periodName, shifted } from "./calendar";

test("a period is the day, the week from Monday or the month around a date", () => {
  deepEqual(datesOf("day", "2026-12-31"), { from: "2026-12-31", to: "2027-01-01" });
  deepEqual(datesOf("week", "2026-11-23"), { from: "2026-11-23", to: "2026-11-30" }); // a Monday
  deepEqual(datesOf("week", "2026-11-29"), { from: "2026-11-23", to: "2026-11-30" }); // a Sunday
  deepEqual(datesOf("month", "2028-02-29"), { from: "2028-02-01", to: "2028-03-01" });
  deepEqual(datesOf("month", "2026-12-01"), { from: "2026-12-01", to: "2027-01-01" });
});

test("periods follow each other without a gap, also where clocks are set", () => {
  for (const period of ["day", "week", "month"] as const) {
    let date = "2026-01-15";
    for (let i = 0; i < 500; i++) {
      const next = after(period, date);
      equal(datesOf(period, next).from, datesOf(period, date).to);
      equal(before(period, next), datesOf(period, date).from);
      date = next;
    }
  }
  equal(datesIn(datesOf("month", "2026-10-05")).length, 31);
  equal(shifted("2026-03-28", 2), "2026-03-30");
});

test("what is no date is none", () => {
  for (const word of [null, "", "today", "2026-02-30", "2026-13-01", "26-01-01", "2026-1-1", "2026-01-01T00:00"]) {
    equal(isDate(word), false, String(word));
  }
  equal(isDate("2028-02-29"), true);
});

test("periods near to today are spoken of as people do", () => {
  const today = "2026-12-01";
  equal(periodName("day", "2026-12-01", today), "Today");
  equal(periodName("day", "2026-11-30", today), "Yesterday");
  equal(periodName("week", "2026-12-06", today), "This week");
  equal(periodName("week", "2026-11-29", today), "Last week");
  equal(periodName("day", "2026-10-25", today).includes("25"), true);
  equal(periodName("month", "2026-12-01", today).includes("2026"), true);
  equal(periodName("week", "2026-10-25", today).includes("–"), true);
});
