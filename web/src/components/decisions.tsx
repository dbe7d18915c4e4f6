import { useSignal, useSignalEffect, type Signal } from "@preact/signals";
import { clock, inForce, said, waiting, type Correction, type Decision, type Finding } from "../corrections";
import { energy, text } from "../format";
import { connection, connections, decisions } from "../state";
import { decide, fetchDecisions } from "../sync";

/** What somebody is about to decide, and the word for it. */
interface Choice {
  readonly decision: Decision;
  readonly word: string;
}

/** What waits for a decision about a device's energy, and what was decided. Nothing where there is neither. */
export function Decisions({ id }: { id: string }) {
  const known = useSignal<{ findings: readonly Finding[]; journal: readonly Correction[] }>({ findings: [], journal: [] });
  const choice = useSignal<Choice | null>(null);
  useSignalEffect(() => {
    if (connections.value + decisions.value === 0) return;
    let left = false;
    void fetchDecisions(id).then((news) => {
      if (!left) known.value = news;
    });
    return () => {
      left = true;
    };
  });
  const held = waiting(known.value.findings);
  const decided = inForce(known.value.journal, id);
  if (held.length + decided.length === 0) return null;
  return (
    <section class="decisions" data-testid="decisions" aria-label="Decisions about energy">
      {held.length > 0 && <h3>Waits for a decision</h3>}
      {held.map((finding) => (
        <Held key={finding.at} id={id} finding={finding} choice={choice} />
      ))}
      {decided.length > 0 && <h3>Decided</h3>}
      {decided.map((entry) => (
        <Decided key={entry.id} entry={entry} findings={known.value.findings} choice={choice} />
      ))}
      {choice.value && <Reason key={choice.value.word} choice={choice} />}
    </section>
  );
}

function Held({ id, finding, choice }: { id: string; finding: Finding; choice: Signal<Choice | null> }) {
  const amount = text(energy(finding.held_wh));
  const button = (kind: "accept" | "discard", word: string) => (
    <button
      type="button"
      class="action"
      data-testid={kind}
      disabled={connection.value === "away"}
      onClick={() => (choice.value = { decision: { kind, device: id, from: finding.at }, word: `${word} ${amount}` })}
    >
      {word}
    </button>
  );
  return (
    <div class="decision">
      <p>
        <b>{amount}</b> more on the counter, {clock(finding.at)}
        <small>{finding.reason}. It is in no figure.</small>
      </p>
      {button("accept", "Count")}
      {button("discard", "Leave out")}
    </div>
  );
}

function Decided({ entry, findings, choice }: { entry: Correction; findings: readonly Finding[]; choice: Signal<Choice | null> }) {
  const words = said(entry, findings);
  return (
    <div class="decision">
      <p>
        {words}
        <small>
          {entry.by}: {entry.why}
        </small>
      </p>
      <button
        type="button"
        class="action"
        data-testid="undo"
        disabled={connection.value === "away"}
        onClick={() => (choice.value = { decision: { kind: "undo", target: entry.id }, word: `Take back: ${words}` })}
      >
        Take back
      </button>
    </div>
  );
}

/** Who decided last on this browser. */
const nameKey = "smartmeter.name";

/** Asks who decides and why, as the journal needs both, and has it entered. */
function Reason({ choice }: { choice: Signal<Choice | null> }) {
  const by = useSignal(localStorage.getItem(nameKey) ?? "");
  const why = useSignal("");
  const failure = useSignal("");
  const busy = useSignal(false);
  const chosen = choice.value;
  if (chosen === null) return null;
  const enter = async (event: Event) => {
    event.preventDefault();
    busy.value = true;
    failure.value = await decide(chosen.decision, by.value.trim(), why.value.trim());
    busy.value = false;
    if (failure.value !== "") return;
    localStorage.setItem(nameKey, by.value.trim());
    choice.value = null;
  };
  return (
    <form class="reason" data-testid="reason" onSubmit={(event) => void enter(event)}>
      <p>{chosen.word}</p>
      <label>
        Who decides
        <input name="by" required maxLength={64} autocomplete="name" value={by.value} onInput={(e) => (by.value = e.currentTarget.value)} />
      </label>
      <label>
        Why
        <input name="why" required maxLength={500} value={why.value} onInput={(e) => (why.value = e.currentTarget.value)} />
      </label>
      {failure.value !== "" && <p role="alert">It was not entered: {failure.value}.</p>}
      <div>
        <button type="submit" class="action" disabled={busy.value}>
          Enter
        </button>
        <button type="button" class="action" onClick={() => (choice.value = null)}>
          Cancel
        </button>
      </div>
    </form>
  );
}
