// The hub's HTTP API, as far as the page speaks it: the shapes of its JSON and
// one function for each call. Units are the API's: V, A, W, Hz, ratio, Wh;
// times are RFC 3339 strings, or Unix milliseconds in columns of readings.

import type { Buckets } from "./buckets";
import type { Dates } from "./calendar";
import type { Correction, Decision, Finding } from "./corrections";
import type { Energy } from "./energy";

export type LoadKind = "generic" | "must_stay_on" | "heater" | "compressor" | "lighting";
/** "none": there is no relay to move. */
export type RelayState = "on" | "off" | "unknown" | "none";
export type CommandState = "requested" | "sent" | "acknowledged" | "rejected" | "expired" | "unknown" | "failed";

/** The newest reading of a device. A quantity that was not measured is absent. */
export interface Latest {
  at: string;
  voltage?: number;
  current?: number;
  power?: number;
  frequency?: number;
  pf?: number;
  energy_wh?: number;
}

/** Something that a person should know; open until cleared_at. */
export interface Alert {
  id: string;
  kind: "welded_relay" | "dead_load" | "not_obeying" | "cut_off";
  severity: "info" | "warning" | "critical";
  device: string;
  text: string;
  raised_at: string;
  acknowledged_at: string | null;
  acknowledged_by: string;
  cleared_at: string | null;
}

/** How a device's node is to be configured; what is absent nobody chose. Units are in the names, or A and W. */
export interface Settings {
  power_up?: "off" | "on" | "last";
  fallback?: "off" | "on";
  min_on_s?: number;
  min_off_s?: number;
  max_on_s?: number;
  max_switches_per_min?: number;
  max_current?: number;
  max_power?: number;
  hold_ms?: number;
  metrics_ms?: number;
  energy_ms?: number;
  heartbeat_ms?: number;
}

export interface Configured {
  state: "none" | "waiting" | "sent" | "in_force" | "refused" | "told";
  field: string;
  reason: string;
}

/** One request to move a relay, or a movement that nobody asked the hub for, and what became of it. */
export interface Command {
  id: string;
  device: string;
  set: "on" | "off";
  cause: string;
  asked_at: string;
  state: CommandState;
  /** Whether the measured power agrees with what the node said; "" until it was measured. */
  watts: "agrees" | "disagrees" | "cannot_tell" | "";
  reason: string;
}

export interface Relay {
  state: RelayState;
  command: Command | null;
  /** The node ends the present ON when it has not heard from the hub for so long; 0: never. */
  lease_s?: number;
  /** When the node ends the present ON in any case. */
  off_at?: string | null;
}

export interface Device {
  id: string;
  name: string;
  room: string;
  kind: LoadKind;
  node: string;
  channel: number;
  parent: string;
  online: boolean;
  last_seen: string | null;
  /** The node lives but its meter does not answer: most likely no mains, which is not 0 W. */
  meter_silent: boolean;
  latest: Latest | null;
  relay: Relay;
  interval_ms: number;
  /** How many messages of the node the hub could not understand, by reason. */
  refused: Record<string, number>;
  protocol: number;
  /** What the node announced that it can do. */
  caps: readonly string[];
  settings: Settings;
  effective: Settings;
  configured: Configured;
  /** What the node does by itself, in plain words. */
  protection: readonly string[];
}

/** One page of a device's stored power. */
interface PowerPage {
  t: number[];
  power: (number | null)[];
  next?: string;
}

/** A device's stored power in steps, those without a reading left out. */
interface StepPage {
  t: number[];
  power: (number | null)[];
  power_min: (number | null)[];
  power_max: (number | null)[];
}

/** What a PUT on a relay answers when the node did as it was asked. */
export interface Switched {
  state: RelayState;
  command: Command;
}

/** A problem as in RFC 9457, with what the hub adds when a node refused or kept silent. */
interface Problem {
  title?: string;
  detail?: string;
  state?: RelayState;
  command?: Command;
}

/** The hub answered, and said no. */
export class Refusal extends Error {
  readonly status: number;
  readonly relay: Relay | null;

  constructor(status: number, problem: Problem) {
    super(problem.detail ?? problem.title ?? `the hub answered ${status}`);
    this.status = status;
    this.relay = problem.state && problem.command ? { state: problem.state, command: problem.command } : null;
  }
}

/** The devices, and the hub's clock where the answer told it. */
export interface Snapshot {
  devices: Device[];
  hubMillis: number | null;
}

const base = "/api/v1";
const json = { "Content-Type": "application/json" };
const answerWithinMillis = 10_000;
/** How long the hub waits for a node's answer before it says that there is none. */
const relayWait = "3s";

export const eventsURL = `${base}/events`;

/** Who the hub takes us for: "open" hubs ask nobody. */
export interface Me {
  state: "first_run" | "login" | "in" | "open";
  name: string;
  role: string;
  may: string[];
}

export async function fetchMe(): Promise<Me> {
  return (await (await call(`${base}/session`)).json()) as Me;
}

export async function logIn(name: string, password: string): Promise<Me> {
  return (await (await call(`${base}/session`, sent("POST", { name, password }))).json()) as Me;
}

export async function logOut(): Promise<void> {
  await call(`${base}/session`, { method: "DELETE" });
}

/** firstRun makes the first account, with the code on the hub's console. */
export async function firstRun(code: string, name: string, password: string): Promise<Me> {
  return (await (await call(`${base}/first-run`, sent("POST", { code, name, password }))).json()) as Me;
}

/** putSettings says where the site is and what energy costs; what is absent stays as it is. */
export async function putSettings(settings: { zone?: string; currency?: string; prices?: { from: string; per_kwh: string }[] }): Promise<void> {
  await call(`${base}/settings`, sent("PUT", settings));
}

function sent(method: string, body: unknown): RequestInit {
  return { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

export async function fetchDevices(): Promise<Snapshot> {
  const response = await call(`${base}/devices`);
  const { devices } = (await response.json()) as { devices: Device[] };
  const date = Date.parse(response.headers.get("Date") ?? "");
  return { devices, hubMillis: Number.isNaN(date) ? null : date };
}

/** fetchAlerts returns the open alerts, newest first. */
export async function fetchAlerts(): Promise<Alert[]> {
  const response = await call(`${base}/alerts`);
  const { alerts } = (await response.json()) as { alerts: Alert[] };
  return alerts.filter((alert) => alert.cleared_at === null);
}

export async function postAcknowledge(id: string): Promise<Alert> {
  const response = await call(`${base}/alerts/${encodeURIComponent(id)}/acknowledge`, { method: "POST" });
  return (await response.json()) as Alert;
}

/** fetchCommands returns what moved a relay, the newest first. */
export async function fetchCommands(id: string, limit: number): Promise<Command[]> {
  const response = await call(`${devicePath(id)}/commands?limit=${limit}`);
  return ((await response.json()) as { commands: Command[] }).commands;
}

/** patchDevice changes what a device is and how its node is configured. Settings are all of them: what is left out is unchosen. */
export async function patchDevice(id: string, change: { kind?: LoadKind; settings?: Settings }): Promise<Device> {
  const response = await call(devicePath(id), { method: "PATCH", headers: json, body: JSON.stringify(change) });
  return (await response.json()) as Device;
}

/** postReset has a node that cut off by itself obey commands again. */
export async function postReset(id: string): Promise<void> {
  await call(`${devicePath(id)}/protection/reset`, { method: "POST", headers: json, body: JSON.stringify({ wait: relayWait }) });
}

/** fetchPower returns the stored power of a device, page after page. */
export async function fetchPower(
  id: string,
  fromMillis: number,
  toMillis: number,
): Promise<{ tMillis: number[]; watts: (number | null)[] }> {
  const query = new URLSearchParams({ from: rfc3339(fromMillis), to: rfc3339(toMillis), quantities: "power" });
  let tMillis: number[] = [];
  let watts: (number | null)[] = [];
  let url: string | null = `${devicePath(id)}/readings?${query}`;
  while (url) {
    const response = await call(url);
    const page = (await response.json()) as PowerPage;
    tMillis = tMillis.concat(page.t);
    watts = watts.concat(page.power);
    url = page.next ? ownOrigin(page.next, url) : null;
  }
  return { tMillis, watts };
}

/** fetchBuckets returns a device's power summed up in steps: the mean by time, and the extremes. */
export async function fetchBuckets(id: string, fromMillis: number, toMillis: number, step: "1m" | "15m"): Promise<Buckets> {
  const query = new URLSearchParams({ from: rfc3339(fromMillis), to: rfc3339(toMillis), step, quantities: "power" });
  const response = await call(`${devicePath(id)}/readings?${query}`);
  const page = (await response.json()) as StepPage;
  return { tMillis: page.t, mean: page.power, min: page.power_min, max: page.power_max };
}

/** fetchToday returns what all devices, and the house, used since the midnight of the site. */
export async function fetchToday(): Promise<Energy> {
  return (await (await call(`${base}/energy`)).json()) as Energy;
}

/** fetchEnergy returns what devices used in a stretch of dates of the site, up to now if that is in it; without an id all of them, with the rests of parents. */
export async function fetchEnergy(dates: Dates, today: string, step: "1h" | "1d" | "whole", id?: string): Promise<Energy> {
  const query = new URLSearchParams({ from: dates.from, step });
  if (dates.to <= today) query.set("to", dates.to);
  if (id !== undefined) query.set("device", id);
  return (await (await call(`${base}/energy?${query}`)).json()) as Energy;
}

/** fetchFindings returns what the hub found about a device's counter. */
export async function fetchFindings(id: string): Promise<Finding[]> {
  const response = await call(`${devicePath(id)}/energy/findings`);
  return ((await response.json()) as { findings: Finding[] }).findings;
}

/** fetchJournal returns all that people decided about energy, oldest first. */
export async function fetchJournal(): Promise<Correction[]> {
  const response = await call(`${base}/corrections`);
  return ((await response.json()) as { corrections: Correction[] }).corrections;
}

/** postCorrection enters a decision into the journal. It throws as putRelay does. */
export async function postCorrection(decision: Decision, by: string, why: string): Promise<void> {
  await call(`${base}/corrections`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...decision, by, why }),
  });
}

/** putRelay asks the hub to move a relay and waits for the node's word. It throws a Refusal, or a TypeError or DOMException when the hub cannot be reached. */
export async function putRelay(id: string, on: boolean): Promise<Switched> {
  const response = await call(`${devicePath(id)}/relay`, {
    method: "PUT",
    headers: json,
    body: JSON.stringify({ on, wait: relayWait }),
  });
  return (await response.json()) as Switched;
}

/** call asks the hub, and throws a Refusal where it says no. */
export async function call(url: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(url, { ...init, cache: "no-store", signal: AbortSignal.timeout(answerWithinMillis) });
  if (!response.ok) {
    throw new Refusal(response.status, await problemOf(response));
  }
  return response;
}

/** problemOf reads the problem in a refusal; something between us and the hub may have answered in its own words. */
async function problemOf(response: Response): Promise<Problem> {
  try {
    return (await response.json()) as Problem;
  } catch {
    return {};
  }
}

function devicePath(id: string): string {
  return `${base}/devices/${encodeURIComponent(id)}`;
}

function rfc3339(millis: number): string {
  return new Date(millis).toISOString();
}

/** ownOrigin makes a link path-only: behind a proxy the hub may call itself by a name that the browser must not ask. */
function ownOrigin(link: string, relativeTo: string): string {
  const url = new URL(link, new URL(relativeTo, location.origin));
  return url.pathname + url.search;
}
