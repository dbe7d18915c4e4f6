// Dates and the periods they make, pure. A date is a string like 2026-11-23 and
// belongs to the site, not to the browser: the hub knows where its days begin,
// and here they are only counted.

/** What an energy chart shows: a day by hours, a week or a month by days. */
export type Period = "day" | "week" | "month";

export const periods: readonly Period[] = ["day", "week", "month"];

const dayMillis = 86_400_000;

/** The instant that stands for a date in the arithmetic here: its midnight in Greenwich. */
function millisOf(date: string): number {
  return Date.parse(`${date}T00:00:00Z`);
}

function dateOf(millis: number): string {
  return new Date(millis).toISOString().slice(0, 10);
}

export function isDate(word: string | null): word is string {
  return word !== null && /^\d{4}-\d\d-\d\d$/.test(word) && dateOf(millisOf(word) || 0) === word;
}

export function shifted(date: string, days: number): string {
  return dateOf(millisOf(date) + days * dayMillis);
}

/** A stretch of dates; to is the first that is not part of it. */
export interface Dates {
  readonly from: string;
  readonly to: string;
}

/** datesOf returns the period around a date. Weeks begin on Monday. */
export function datesOf(period: Period, date: string): Dates {
  if (period === "day") return { from: date, to: shifted(date, 1) };
  if (period === "week") {
    const from = shifted(date, -((new Date(millisOf(date)).getUTCDay() + 6) % 7));
    return { from, to: shifted(from, 7) };
  }
  const from = `${date.slice(0, 7)}-01`;
  return { from, to: `${shifted(from, 31).slice(0, 7)}-01` };
}

/** before and after return a date of the neighbouring period. */
export function before(period: Period, date: string): string {
  return datesOf(period, shifted(datesOf(period, date).from, -1)).from;
}

export function after(period: Period, date: string): string {
  return datesOf(period, date).to;
}

/** datesIn lists the dates of a stretch. */
export function datesIn({ from, to }: Dates): string[] {
  const dates: string[] = [];
  for (let date = from; date < to; date = shifted(date, 1)) dates.push(date);
  return dates;
}

const formats = {
  weekday: new Intl.DateTimeFormat(undefined, { weekday: "short", timeZone: "UTC" }),
  day: new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" }),
  short: new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" }),
  month: new Intl.DateTimeFormat(undefined, { month: "long", year: "numeric", timeZone: "UTC" }),
};

/** dayName shows a date as "Mon 23 Nov", in the reader's language. */
export function dayName(date: string): string {
  return formats.day.format(millisOf(date));
}

export function weekdayName(date: string): string {
  return formats.weekday.format(millisOf(date));
}

export function dayOfMonth(date: string): string {
  return String(Number(date.slice(8)));
}

/** periodName speaks of the period around a date as people do on some day. */
export function periodName(period: Period, date: string, today: string): string {
  const dates = datesOf(period, date);
  const now = datesOf(period, today).from;
  const last = before(period, today);
  const [current, previous] = { day: ["Today", "Yesterday"], week: ["This week", "Last week"], month: ["", ""] }[period] as [string, string];
  if (current !== "" && dates.from === now) return current;
  if (previous !== "" && dates.from === last) return previous;
  if (period === "day") return dayName(dates.from);
  if (period === "month") return formats.month.format(millisOf(dates.from));
  return `${formats.short.format(millisOf(dates.from))} – ${formats.short.format(millisOf(shifted(dates.to, -1)))}`;
}
