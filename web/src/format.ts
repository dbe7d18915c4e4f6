// How every quantity reads, in one place: a figure in digits that do not jump,
// and its unit. Watts, volts and amperes are rounded no finer than the meter
// measures (0.1 V, 1 mA, 0.1 W, 1 Wh, 0.1 Hz, 0.01).

/** A number as it is shown. The unit is "" for a ratio. */
export interface Figure {
  readonly value: string;
  readonly unit: string;
}

const narrowSpace = "\u202f";
const hardSpace = "\u00a0";

export function power(watts: number): Figure {
  return { value: shortDecimal(watts), unit: "W" };
}

/** wattMark labels an axis, whose marks are round numbers. */
export function wattMark(watts: number): string {
  return text({ value: Number.isInteger(watts) ? grouped(String(watts)) : power(watts).value, unit: "W" });
}

export function apparentPower(voltAmperes: number): Figure {
  return { value: shortDecimal(voltAmperes), unit: "VA" };
}

export function voltage(volts: number): Figure {
  return { value: volts.toFixed(1), unit: "V" };
}

export function current(amperes: number): Figure {
  return { value: amperes.toFixed(Math.abs(amperes) < 0.9995 ? 3 : 2), unit: "A" };
}

export function frequency(hertz: number): Figure {
  return { value: hertz.toFixed(1), unit: "Hz" };
}

export function powerFactor(ratio: number): Figure {
  return { value: ratio.toFixed(2), unit: "" };
}

/** energy shows watt hours to the last one, as the command line does: whoever compares finds the same digits. */
export function energy(wattHours: number): Figure {
  const [whole = "", fraction = ""] = (Math.abs(wattHours) / 1000).toFixed(3).split(".");
  return { value: `${wattHours < 0 ? "\u2212" : ""}${grouped(whole)}.${fraction}`, unit: "kWh" };
}

/** energyMark labels an axis, whose marks are round numbers. */
export function energyMark(wattHours: number): string {
  return wattHours === 0 ? "0" : text({ value: grouped(String(wattHours / 1000)), unit: "kWh" });
}

/** amount shows money with the digits that the hub wrote. */
export function amount({ amount, currency }: { amount: string; currency: string }): string {
  const digits = amount.split(".")[1]?.length ?? 0;
  const format = new Intl.NumberFormat(undefined, { style: "currency", currency, minimumFractionDigits: digits, maximumFractionDigits: digits });
  return format.format(Number(amount));
}

/** text joins a figure and its unit so that no line breaks between them. */
export function text(figure: Figure): string {
  return figure.unit === "" ? figure.value : figure.value + hardSpace + figure.unit;
}

/** age says how long ago something was, in its largest unit. */
export function age(millis: number): string {
  const seconds = Math.max(0, Math.floor(millis / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** span names the length of a chart: "hour" or "15 min". */
export function span(millis: number): string {
  return millis === 3_600_000 ? "hour" : `${millis / 60_000}${hardSpace}min`;
}

const minuteFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const secondFormat = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const weekdayFormat = new Intl.DateTimeFormat(undefined, { weekday: "short" });
const dayFormat = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

/** minuteOfDay shows an instant as 14:05, in the reader's zone. */
export function minuteOfDay(millis: number): string {
  return minuteFormat.format(millis);
}

/** dayMark labels a day on an axis: Mon 16. */
export function dayMark(millis: number): string {
  return `${weekdayFormat.format(millis)} ${new Date(millis).getDate()}`;
}

/** secondOfDay shows an instant as 14:05:31, in the reader's zone. */
export function secondOfDay(millis: number): string {
  return secondFormat.format(millis);
}

/** moment shows an instant as a time of day, with the date unless it is the day of nowMillis. */
export function moment(millis: number, nowMillis: number): string {
  const day = dayFormat.format(millis);
  return day === dayFormat.format(nowMillis) ? secondOfDay(millis) : `${day}, ${secondOfDay(millis)}`;
}

/** count puts a number before a noun: "1 message", "12 messages". */
export function count(n: number, noun: string): string {
  return `${grouped(String(n))}${hardSpace}${noun}${n === 1 ? "" : "s"}`;
}

/** shortDecimal keeps one decimal below 10, where it matters, and none above. */
function shortDecimal(x: number): string {
  const tenths = Math.round(Math.abs(x) * 10) / 10;
  const digits = tenths === 0 || tenths >= 10 ? String(Math.round(tenths)) : tenths.toFixed(1);
  return (x < 0 && digits !== "0" ? "\u2212" : "") + grouped(digits);
}

/** grouped sets thousands apart from five digits on. */
function grouped(digits: string): string {
  return digits.length < 5 ? digits : digits.replace(/\B(?=(\d{3})+$)/g, narrowSpace);
}
