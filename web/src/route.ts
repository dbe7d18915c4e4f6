// Where the page is: everything behind the "#", so that the hub serves one
// page and the browser's back button works.
import { signal } from "@preact/signals";
import { parseRange, type RangeName } from "./range";

type Place = { readonly page: "home" } | { readonly page: "device"; readonly id: string };

/** A place, and the range that its chart shows. */
export type Route = Place & { readonly range: RangeName };

const devicePrefix = "#/device/";

export function homeHref(range: RangeName): string {
  return "#/" + rangeQuery(range);
}

export function deviceHref(id: string, range: RangeName): string {
  return devicePrefix + encodeURIComponent(id) + rangeQuery(range);
}

function rangeQuery(range: RangeName): string {
  return range === "1h" ? "" : `?range=${range}`;
}

/** parseRoute reads a location's hash; what it does not know is home. */
export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.split("?", 2);
  const range = parseRange(new URLSearchParams(query).get("range"));
  if (path.startsWith(devicePrefix)) {
    try {
      return { page: "device", id: decodeURIComponent(path.slice(devicePrefix.length)), range };
    } catch {
      return { page: "home", range }; // a "%" that encodes nothing
    }
  }
  return { page: "home", range };
}

export const route = signal<Route>({ page: "home", range: "1h" });

/** showRange moves to another range of the same place, one step back in the browser's history. */
export function showRange(range: RangeName): void {
  const here = route.peek();
  location.hash = here.page === "device" ? deviceHref(here.id, range) : homeHref(range);
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
  return a.page === "device" ? b.page === "device" && a.id === b.id : b.page === "home";
}
