// Where the page is: everything behind the "#", so that the hub serves one
// page and the browser's back button works.
import { signal } from "@preact/signals";
import { isDate, periods, type Period } from "./calendar";
import { parseRange, type RangeName } from "./range";

type Place = { readonly page: "home" } | { readonly page: "nodes" } | { readonly page: "device"; readonly id: string };

/** What the chart of a device's energy shows: the period around a date, or the present one. */
export interface When {
  readonly period: Period;
  readonly date: string | null;
}

/** A place, and what its charts show. */
export type Route = Place & { readonly range: RangeName; readonly energy: When };

const thisWeek: When = { period: "week", date: null };

const devicePrefix = "#/device/";

export const nodesHref = "#/nodes";

export function homeHref(range: RangeName): string {
  return "#/" + query(range, thisWeek);
}

export function deviceHref(id: string, range: RangeName, energy: When = thisWeek): string {
  return devicePrefix + encodeURIComponent(id) + query(range, energy);
}

/** query says what is not as usual. */
function query(range: RangeName, energy: When): string {
  const words = new URLSearchParams();
  if (range !== "1h") words.set("range", range);
  if (energy.period !== thisWeek.period) words.set("energy", energy.period);
  if (energy.date !== null) words.set("on", energy.date);
  return words.size === 0 ? "" : `?${words}`;
}

/** parseRoute reads a location's hash; what it does not know is home. */
export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.split("?", 2);
  const words = new URLSearchParams(query);
  const shown = { range: parseRange(words.get("range")), energy: parseWhen(words.get("energy"), words.get("on")) };
  if (path.startsWith(devicePrefix)) {
    try {
      return { page: "device", id: decodeURIComponent(path.slice(devicePrefix.length)), ...shown };
    } catch {
      return { page: "home", ...shown }; // a "%" that encodes nothing
    }
  }
  return { page: path === nodesHref ? "nodes" : "home", ...shown };
}

function parseWhen(period: string | null, date: string | null): When {
  return { period: periods.find((known) => known === period) ?? thisWeek.period, date: isDate(date) ? date : null };
}

export const route = signal<Route>({ page: "home", range: "1h", energy: thisWeek });

/** showRange moves to another range of the same place, one step back in the browser's history. */
export function showRange(range: RangeName): void {
  const here = route.peek();
  location.hash = here.page === "device" ? deviceHref(here.id, range, here.energy) : homeHref(range);
}

/** showEnergy moves to another period of the device that is shown. */
export function showEnergy(energy: When): void {
  const here = route.peek();
  if (here.page === "device") location.hash = deviceHref(here.id, here.range, energy);
}

/** followLocation keeps route equal to the address, and begins each place at its top; another range moves nothing. */
export function followLocation(): void {
  const follow = () => (route.value = parseRoute(location.hash));
  follow();
  addEventListener("hashchange", () => {
    const before = route.peek();
    const now = follow();
    if (!samePlace(before, now)) scrollTo(0, 0);
  });
}

function samePlace(a: Place, b: Place): boolean {
  return a.page === "device" ? b.page === "device" && a.id === b.id : b.page === a.page;
}
