import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { barsOf, scaleOf, sharesOf, usedBy, type Energy, type EnergyBucket, type Quality } from "./energy";

function bucket(from: string, to: string, wh: number, quality: Quality = "measured", missing_s = 0, cost?: string): EnergyBucket {
  return { from, to, wh, quality, missing_s, ...(cost !== undefined && { cost }) };
}

function answer(id: string, buckets: readonly EnergyBucket[], more: Partial<Energy> = {}): Energy {
  const wh = buckets.reduce((sum, b) => sum + b.wh, 0);
  return { from: "", to: "", devices: [{ id, name: id, parent: "", wh, buckets }], ...more };
}

const late = Date.parse("2030-01-01T00:00:00Z");

test("what is not known is not 0", () => {
  equal(usedBy(null, "fridge"), null);
  equal(usedBy(answer("fridge", []), "kettle"), null);
  equal(usedBy(answer("fridge", []), null), null);
  equal(usedBy(answer("fridge", [bucket("", "", 0, "absent", 900)]), "fridge"), null);
  equal(usedBy(answer("fridge", [bucket("", "", 0)]), "fridge")?.wh, 0);
});

test("energy has a cost where there is a price for all of it, in the hub's digits", () => {
  const one = bucket("", "", 12_000, "measured", 0, "3.84");
  const priced: Energy = { ...answer("main", [one], { currency: "EUR" }), house: { wh: 12_000, cost: "3.84", buckets: [one] } };
  deepEqual(usedBy(priced, null)?.cost, { amount: "3.84", currency: "EUR" });
  equal(usedBy(priced, "main")?.cost, null);
});

test("energy that is held back is told", () => {
  equal(usedBy(answer("kiln", [bucket("", "", 5), bucket("", "", 5, "quarantined")]), "kiln")?.held, true);
  equal(usedBy(answer("kiln", [bucket("", "", 5, "corrected")]), "kiln")?.held, false);
});

test("a day has as many bars as hours, by the site's clock", () => {
  const hours = (day: string, offsets: readonly [string, string][]) =>
    answer("fridge", offsets.map(([from, to], i) => bucket(`${day}T${from}`, `${day}T${to}`, i)));
  const autumn = hours("2026-10-25", [["01:00:00+02:00", "02:00:00+02:00"], ["02:00:00+02:00", "02:00:00+01:00"], ["02:00:00+01:00", "03:00:00+01:00"]]);
  const bars = barsOf(autumn, "fridge", "day", late);
  deepEqual(bars.map((bar) => bar.label), ["1", "2", "2"]);
  deepEqual(bars.map((bar) => bar.name), ["01:00 – 02:00", "02:00 – 02:00 (the clock was set)", "02:00 – 03:00"]);
  equal(bars[1]?.date, "2026-10-25");
});

test("a gap is as wide as what is not known, and not yet is no gap", () => {
  const day = (wh: number, quality: Quality, missing: number) => answer("tv", [bucket("2026-11-23T00:00:00+01:00", "2026-11-24T00:00:00+01:00", wh, quality, missing)]);
  const of = (energy: Energy, now: string) => barsOf(energy, "tv", "week", Date.parse(now))[0];
  equal(of(day(100, "measured", 21_600), "2026-11-25T00:00:00+01:00")?.gap, 0.25);
  equal(of(day(100, "measured", 43_200), "2026-11-23T12:00:00+01:00")?.gap, 0);
  const unknown = of(day(0, "absent", 86_400), "2026-11-25T00:00:00+01:00");
  deepEqual([unknown?.gap, unknown?.wh], [1, null]);
  equal(of(day(0, "absent", 86_400), "2026-11-22T00:00:00+01:00"), undefined);
});

test("a chart reaches over its highest bar in round steps", () => {
  const marks = (most: number) => scaleOf(barsOf(answer("tv", [bucket("2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z", most)]), "tv", "week", late)).marksWh;
  deepEqual(marks(0), [0, 10, 20]);
  deepEqual(marks(139), [0, 50, 100, 150]);
  deepEqual(marks(3400), [0, 1000, 2000, 3000, 4000]);
  deepEqual(marks(100_000), [0, 25_000, 50_000, 75_000, 100_000]);
  for (let most = 1; most < 1e7; most = Math.ceil(most * 1.37)) {
    const all = marks(most);
    equal((all.at(-1) ?? 0) >= most && all.length >= 3 && all.length <= 6, true, String(most));
  }
});

test("children and the rest are told with their uncertainty, most first", () => {
  const one = (id: string, wh: number, parent: string, quality: Quality = "measured") => ({ id, name: id, parent, wh, buckets: [bucket("", "", wh, quality)] });
  const energy: Energy = {
    from: "",
    to: "",
    devices: [
      { ...one("main", 1000, ""), unmetered: [{ wh: -4, within_wh: 31, complete: false }] },
      one("tv", 4, "main"),
      one("boiler", 1000, "main"),
      one("lamp", 0, "main", "absent"),
      one("shed", 7, ""),
    ],
  };
  deepEqual(
    sharesOf(energy, "main").map(({ name, wh, withinWh, complete }) => [name, wh, withinWh, complete]),
    [
      ["boiler", 1000, null, true],
      ["tv", 4, null, true],
      ["lamp", null, null, true],
      ["Unmetered rest", -4, 31, false],
    ],
  );
  deepEqual(sharesOf(energy, "tv"), []);
});
