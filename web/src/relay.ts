// The relay's situation as a person sees it, pure: what the node says, what was
// asked, and what became of that. A button never shows what was only asked.
import type { Command, Relay, RelayState } from "./api";

/** What this page asked of a relay, and the hub's refusal if it came to one. */
export interface Ask {
  readonly on: boolean;
  /** null while the answer is awaited. */
  readonly failure: string | null;
}

export interface Situation {
  readonly state: RelayState | "asking" | "failed";
  /** The position that the node reported last. */
  readonly truth: RelayState;
  /** What is being asked, or what failed; null otherwise. */
  readonly wanted: "on" | "off" | null;
  /** Why it failed; "" otherwise. */
  readonly reason: string;
}

/** relaySituation puts the node's word, the hub's last command and this page's own request together. A failed command with the id dismissed is history. */
export function relaySituation(relay: Relay, ask: Ask | null, dismissed = ""): Situation {
  const truth = relay.state;
  const command = relay.command;
  if (ask && ask.failure === null) {
    return { state: "asking", truth, wanted: setting(ask.on), reason: "" };
  }
  if (ask && ask.failure !== null && setting(ask.on) !== truth) {
    return { state: "failed", truth, wanted: setting(ask.on), reason: ask.failure };
  }
  if (!ask && command && isPending(command)) {
    return { state: "asking", truth, wanted: command.set, reason: "" };
  }
  if (!ask && command && hasFailed(command) && !isUnasked(command) && command.set !== truth && command.id !== dismissed) {
    return { state: "failed", truth, wanted: command.set, reason: failureOf(command) };
  }
  return { state: truth, truth, wanted: null, reason: "" };
}

function setting(on: boolean): "on" | "off" {
  return on ? "on" : "off";
}

export function isPending(command: Command): boolean {
  return command.state === "requested" || command.state === "sent";
}

function hasFailed(command: Command): boolean {
  return !isPending(command) && command.state !== "acknowledged";
}

/** failureOf says in one sentence why a command did not do what it should. */
export function failureOf(command: Command): string {
  const because = command.reason === "" ? "" : `: ${command.reason}`;
  switch (command.state) {
    case "rejected":
      return `The node refused${because}`;
    case "expired":
      return `It reached the node too late, nothing was switched${because}`;
    case "failed":
      return `It never left the hub${because}`;
    default:
      return `No answer from the node: it may have switched or not`;
  }
}

/** lifeOf tells a command's life so far, the node's word and the watts' word apart. */
export function lifeOf(command: Command): string {
  if (isPending(command)) {
    return `asking for ${command.set}…`;
  }
  if (hasFailed(command)) {
    return failureOf(command);
  }
  const watts = wattsWord(command);
  const why = isUnasked(command) && command.reason !== "" ? `: ${command.reason}` : "";
  return `node says ${command.set}${why}` + (watts === "" ? "" : ` · ${watts}`);
}

/** wattsWord is the verdict of the measured power; "" before there is one. */
export function wattsWord(command: Command): string {
  switch (command.watts) {
    case "agrees":
      return "watts agree";
    case "disagrees":
      return command.set === "off" ? "watts disagree: still drawing" : "watts disagree: drawing nothing";
    case "cannot_tell":
      return "watts cannot tell";
    default:
      return "";
  }
}

/** What moved a relay although nobody asked the hub. Details follow a comma. */
const unasked: Record<string, string> = {
  external: "another MQTT client",
  protection: "its node, to protect it",
  lease: "its node, at the end of its time",
  max_on: "its node, after the longest time on",
  button: "the button on its node",
  power_up: "its node, when the power came back",
  node: "its node, or by hand",
};

export function isUnasked(command: Command): boolean {
  return wordOf(command) in unasked;
}

function wordOf(command: Command): string {
  return command.cause.split(",", 1)[0] ?? "";
}

/** causeOf says who asked. */
export function causeOf(command: Command): string {
  const word = wordOf(command);
  const said = word === "api" ? "this page or another app" : unasked[word];
  return said === undefined ? command.cause : said + command.cause.slice(word.length);
}
