// What people decide about energy, pure: what the hub found that only a person
// can decide about, the journal of decisions, and both in words.
import { dayName } from "./calendar";
import { energy, text } from "./format";

/** What the hub found about a device's counter. Times are by the site's clock. */
export interface Finding {
  readonly at: string;
  readonly held_wh: number;
  readonly reason: string;
  readonly decision: "accept" | "discard" | "";
}

/** An entry of the journal. What a kind does not need is absent. */
export interface Correction {
  readonly id: string;
  readonly made: string;
  readonly by: string;
  readonly why: string;
  readonly kind: "accept" | "discard" | "set" | "reset" | "replace" | "bind" | "undo";
  readonly device?: string;
  readonly from?: string;
  readonly to?: string;
  readonly wh?: number;
  readonly node?: string;
  readonly target?: string;
}

/** What the page asks the hub to enter, beside who decided and why. */
export type Decision =
  | { readonly kind: "accept" | "discard"; readonly device: string; readonly from: string }
  | { readonly kind: "undo"; readonly target: string };

/** waiting returns what nobody has decided about yet. */
export function waiting(findings: readonly Finding[]): Finding[] {
  return findings.filter((finding) => finding.held_wh > 0 && finding.decision === "");
}

/** inForce returns what was decided about a device and not taken back, newest first. */
export function inForce(journal: readonly Correction[], device: string): Correction[] {
  // An undo can itself be undone: the last word on an entry counts.
  const undone = new Set<string>();
  for (const entry of [...journal].reverse()) {
    if (entry.kind === "undo" && entry.target !== undefined && !undone.has(entry.id)) undone.add(entry.target);
  }
  return journal.filter((entry) => entry.kind !== "undo" && entry.device === device && !undone.has(entry.id)).reverse();
}

/** clock shows an instant of the hub by the clock that it is written with. */
export function clock(at: string): string {
  return `${dayName(at.slice(0, 10))}, ${at.slice(11, 16)}`;
}

/** said tells what an entry says, given what was found. */
export function said(entry: Correction, findings: readonly Finding[]): string {
  const from = entry.from === undefined ? "" : clock(entry.from);
  const held = findings.find((finding) => entry.from !== undefined && Date.parse(finding.at) === Date.parse(entry.from))?.held_wh;
  const amount = held === undefined ? "what was held back" : text(energy(held));
  switch (entry.kind) {
    case "accept":
      return `${amount} found ${from} counted`;
    case "discard":
      return `${amount} found ${from} left out`;
    case "set":
      return `${text(energy(entry.wh ?? 0))} from ${from} to ${entry.to === undefined ? "" : clock(entry.to)}`;
    case "reset":
      return `the counter began again at 0, ${from}`;
    case "replace":
      return `another meter since ${from}`;
    case "bind":
      return `measured by ${entry.node ?? "another node"} since ${from}`;
    default:
      return "";
  }
}
