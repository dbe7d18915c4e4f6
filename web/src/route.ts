// Where the page is: everything behind the "#", so that the hub serves one
// page and the browser's back button works.
import { signal } from "@preact/signals";

export type Route = { readonly page: "home" } | { readonly page: "device"; readonly id: string };

const devicePrefix = "#/device/";

export const homeHref = "#/";

export function deviceHref(id: string): string {
  return devicePrefix + encodeURIComponent(id);
}

/** parseRoute reads a location's hash; what it does not know is home. */
export function parseRoute(hash: string): Route {
  if (hash.startsWith(devicePrefix)) {
    try {
      return { page: "device", id: decodeURIComponent(hash.slice(devicePrefix.length)) };
    } catch {
      return { page: "home" }; // a "%" that encodes nothing
    }
  }
  return { page: "home" };
}

export const route = signal<Route>({ page: "home" });

/** followLocation keeps route equal to the address, and begins each page at its top. */
export function followLocation(): void {
  const follow = () => (route.value = parseRoute(location.hash));
  follow();
  addEventListener("hashchange", () => {
    follow();
    scrollTo(0, 0);
  });
}
