// What was used, pure: the hub's answer about energy as tiles, the house and
// charts show it. All of them take their figures from usedBy, so that they are
// one figure; nobody here adds up, rounds or looks at a meter's own counter.

import { dayName, dayOfMonth, weekdayName, type Period } from "./calendar";

/** How well energy is known, from the best to what needs most attention; "absent": nothing is known, which is not 0. */
export type Quality = "measured" | "interpolated" | "reset-boundary" | "corrected" | "quarantined" | "absent";

/** Energy between two instants, which are by the site's clock: RFC 3339 with its offset. */
export interface EnergyBucket {
  readonly from: string;
  readonly to: string;
  readonly wh: number;
  /** Absent where there is no price; a decimal as people write it. */
  readonly cost?: string;
  readonly quality: Quality;
  readonly missing_s: number;
}

/** What a parent measured and none of its children did. */
export interface Unmetered {
  readonly wh: number;
  readonly cost?: string;
  readonly within_wh: number;
  readonly complete: boolean;
}

export interface EnergySum {
  readonly wh: number;
  readonly cost?: string;
  readonly buckets: readonly EnergyBucket[];
}

export interface DeviceEnergy extends EnergySum {
  readonly id: string;
  readonly name: string;
  readonly parent: string;
  readonly unmetered?: readonly Unmetered[];
}

/** The hub's answer. */
export interface Energy {
  readonly from: string;
  readonly to: string;
  readonly currency?: string;
  readonly devices: readonly DeviceEnergy[];
  /** Absent if only some devices were asked for. */
  readonly house?: EnergySum;
}

/** What somebody used in the time of an answer. */
export interface Used {
  readonly wh: number;
  /** null where energy has no price for all of the time. */
  readonly cost: Money | null;
  readonly buckets: readonly EnergyBucket[];
  /** Whether energy is held back until a person decides about it. */
  readonly held: boolean;
}

/** An amount as the hub wrote it, to the digit. */
export interface Money {
  readonly amount: string;
  readonly currency: string;
}

/** usedBy returns what a device used, or with null the house; null if nothing is known of it, which is not 0. */
export function usedBy(energy: Energy | null, id: string | null): Used | null {
  const sum = id === null ? energy?.house : energy?.devices.find((device) => device.id === id);
  if (!energy || !sum || sum.buckets.every((bucket) => bucket.quality === "absent")) return null;
  const { wh, cost, buckets } = sum;
  return { wh, cost: money(energy, cost), buckets, held: buckets.some((bucket) => bucket.quality === "quarantined") };
}

function money(energy: Energy, amount: string | undefined): Money | null {
  return amount === undefined || energy.currency === undefined ? null : { amount, currency: energy.currency };
}

/** The day of the site on which an instant is. */
export function dateOf(at: string): string {
  return at.slice(0, 10);
}

/** One bar of a chart. */
export interface Bar {
  /** Where it begins, and what tells it from others. */
  readonly from: string;
  /** The date on which it is, to look at it closer. */
  readonly date: string;
  /** Below it, and in full. */
  readonly label: string;
  readonly name: string;
  /** null where nothing is known. */
  readonly wh: number | null;
  readonly cost: Money | null;
  readonly quality: Quality;
  /** For how much of its time nothing is known, from 0 to 1; what has not come yet is not unknown. */
  readonly gap: number;
}

/** barsOf returns the bars of a device: one for each bucket that has begun. */
export function barsOf(energy: Energy | null, id: string, period: Period, nowMillis: number): Bar[] {
  const buckets = (energy && energy.devices.find((device) => device.id === id)?.buckets) ?? [];
  return buckets
    .filter((bucket) => Date.parse(bucket.from) <= nowMillis)
    .map((bucket) => ({
      from: bucket.from,
      date: dateOf(bucket.from),
      label: labelOf(bucket, period),
      name: period === "day" ? `${hours(bucket)}` : dayName(dateOf(bucket.from)),
      wh: bucket.quality === "absent" ? null : bucket.wh,
      cost: bucket.quality === "absent" || !energy ? null : money(energy, bucket.cost),
      quality: bucket.quality,
      gap: gapOf(bucket, nowMillis),
    }));
}

function labelOf(bucket: EnergyBucket, period: Period): string {
  const date = dateOf(bucket.from);
  if (period === "day") return String(Number(bucket.from.slice(11, 13)));
  return period === "week" ? weekdayName(date) : dayOfMonth(date);
}

/** hours tells from when to when by the site's clock; an hour that a clock shows twice says which of the two it is. */
function hours({ from, to }: EnergyBucket): string {
  const span = `${from.slice(11, 16)} – ${to.slice(11, 16)}`;
  return from.slice(19) === to.slice(19) ? span : `${span} (the clock was set)`;
}

/** gapOf leaves out what is still to come, and a reading's time before now. */
function gapOf(bucket: EnergyBucket, nowMillis: number): number {
  const from = Date.parse(bucket.from);
  const to = Date.parse(bucket.to);
  const missing = bucket.missing_s * 1000 - (to > nowMillis ? to - nowMillis + recentMillis : 0);
  return Math.min(1, Math.max(0, missing / (to - from)));
}

/** Within this of now nothing is called missing yet. */
const recentMillis = 120_000;

/** How a chart is scaled: the watt hours of its top, and of its marks. */
export interface Scale {
  readonly topWh: number;
  readonly marksWh: readonly number[];
}

/** scaleOf reaches beyond the highest bar, in two to five round steps. */
export function scaleOf(bars: readonly Bar[]): Scale {
  const most = bars.reduce((top, bar) => Math.max(top, bar.wh ?? 0), 0);
  const power = 10 ** Math.floor(Math.log10(Math.max(most, leastTopWh) / 2));
  const step = [1, 2, 2.5, 5, 10].map((x) => x * power).find((x) => most <= 4 * x) ?? 10 * power;
  const steps = Math.max(2, Math.ceil(most / step));
  return { topWh: steps * step, marksWh: Array.from({ length: steps + 1 }, (_, i) => i * step) };
}

/** A chart never shows less than this, so that a sleeping device has low bars. */
const leastTopWh = 20;

/** A line of the table that tells where a parent's energy went. */
export interface Share {
  readonly id: string | null; // null for what none of the children measured
  readonly name: string;
  readonly wh: number | null;
  readonly cost: Money | null;
  /** How far it may be from the truth; null where the meter itself says so. */
  readonly withinWh: number | null;
  /** false where something is missing of a device, which then is in the rest. */
  readonly complete: boolean;
}

/** sharesOf returns what a parent's children used, most first, and the rest, in an answer with one bucket for all; none for a device without children. */
export function sharesOf(energy: Energy | null, id: string): Share[] {
  const rest = energy?.devices.find((device) => device.id === id)?.unmetered?.[0];
  if (!energy || !rest) return [];
  const children = energy.devices
    .filter((device) => device.parent === id)
    .map((device) => {
      const used = usedBy(energy, device.id);
      return { id: device.id, name: device.name, wh: used?.wh ?? null, cost: used?.cost ?? null, withinWh: null, complete: true };
    })
    .sort((a, b) => (b.wh ?? -1) - (a.wh ?? -1));
  const unmetered = { id: null, name: "Unmetered rest", wh: rest.wh, cost: money(energy, rest.cost), withinWh: rest.within_wh, complete: rest.complete };
  return [...children, unmetered];
}
