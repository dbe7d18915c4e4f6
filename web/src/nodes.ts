// Which nodes may come in, as far as the page asks: the shapes of the API, one
// function for each call, and what the page makes of them.
import { call } from "./api";

export type NodeKind = "paired" | "login" | "unprotected";

export interface KnownNode {
  id: string;
  kind: NodeKind;
  accepted_at: string;
  /** null while it may come in. */
  revoked_at: string | null;
}

export interface NodeList {
  /** Who decides: the hub; nobody, on its machine only; another broker. */
  guard: "hub" | "open" | "broker";
  authority_sha256?: string;
  mqtt_port: number;
  /** Whether others than the hub's machine reach that port. */
  mqtt_on_network: boolean;
  mqtts_port: number;
  nodes: KnownNode[];
}

/** A node that was refused. */
export interface Knock {
  id: string;
  from: string;
  encrypted: boolean;
  reason: string;
  text: string;
  count: number;
  last: string;
}

/** What a node is to come in with. It is told once. */
export interface Accepted {
  kind: NodeKind;
  id?: string;
  code?: string;
  qr?: { size: number; path: string };
  command?: string;
  user?: string;
  password?: string;
  tasmota?: string;
  esphome?: string;
}

const nodes = "/api/v1/nodes";

export async function fetchNodes(): Promise<NodeList> {
  return (await (await call(nodes)).json()) as NodeList;
}

/** openWindow has the hub list who is refused, for ten minutes from now. */
export async function openWindow(): Promise<void> {
  await call(`${nodes}/window`, { method: "POST" });
}

export async function fetchKnocks(): Promise<Knock[]> {
  return ((await (await call(`${nodes}/knocks`)).json()) as { knocks: Knock[] }).knocks;
}

export async function acceptNode(kind: NodeKind, id: string): Promise<Accepted> {
  const response = await call(nodes, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(id === "" ? { kind } : { kind, id }),
  });
  return (await response.json()) as Accepted;
}

export async function revokeNode(id: string): Promise<void> {
  await call(`${nodes}/${encodeURIComponent(id)}`, { method: "DELETE" });
}

/** canBeAccepted tells whether a person can let a node in that knocked without a login. */
export function canBeAccepted(knock: Knock): boolean {
  return !knock.encrypted && (knock.reason === "not_accepted" || knock.reason === "revoked");
}

const kinds: Record<NodeKind, string> = {
  paired: "paired",
  login: "by user name and password",
  unprotected: "unprotected: whoever is on the network can imitate it",
};

/** describeNode says how a node comes in, or that it does not. */
export function describeNode(node: KnownNode): string {
  return node.revoked_at === null ? kinds[node.kind] : "revoked";
}
