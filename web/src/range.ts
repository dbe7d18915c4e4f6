// The ranges of the charts. The last hour is drawn from the readings as they
// were measured and is live; what is longer is drawn from steps that the hub
// sums up, so that a week costs no more than an hour.

/** What a range is called: on its button, and in the address. */
export type RangeName = "1h" | "24h" | "7d";

/** A range that comes in steps. */
export type StepRangeName = Exclude<RangeName, "1h">;

export interface StepRange {
  readonly name: StepRangeName;
  readonly spanMillis: number;
  readonly stepMillis: number;
  /** The hub's word for the step. */
  readonly step: "1m" | "15m";
  /** How the range is spoken of: "the last 24 h". */
  readonly words: string;
}

const minuteMillis = 60_000;
const hourMillis = 60 * minuteMillis;

export const rangeNames: readonly RangeName[] = ["1h", "24h", "7d"];

export const rangeLabels: Record<RangeName, string> = { "1h": "1\u00a0h", "24h": "24\u00a0h", "7d": "7\u00a0d" };

export const stepRanges: Record<StepRangeName, StepRange> = {
  "24h": { name: "24h", spanMillis: 24 * hourMillis, stepMillis: minuteMillis, step: "1m", words: "last 24\u00a0h" },
  "7d": { name: "7d", spanMillis: 7 * 24 * hourMillis, stepMillis: 15 * minuteMillis, step: "15m", words: "last 7\u00a0days" },
};

/** parseRange reads a range's name; what it does not know is the last hour. */
export function parseRange(name: string | null): RangeName {
  return rangeNames.find((known) => known === name) ?? "1h";
}
