import { useSignal, useSignalEffect } from "@preact/signals";
import { fetchCommands, type Command } from "../api";
import * as format from "../format";
import { causeOf, lifeOf } from "../relay";
import { pictureMillis, type Entry } from "../state";

/** How many movements are told. */
const told = 12;

/** What moved the relay, or was to: the newest first, fetched when somebody looks and whenever there is one more. */
export function RelayHistory({ entry }: { entry: Entry }) {
  const open = useSignal(false);
  const commands = useSignal<readonly Command[] | null>(null);
  useSignalEffect(() => {
    const newest = entry.device.value.relay.command;
    void newest?.id, newest?.state, newest?.watts;
    if (!open.value) return;
    fetchCommands(entry.id, told).then(
      (all) => (commands.value = all),
      () => {}, // what was fetched before stands
    );
  });
  return (
    <details class="history" data-testid="relay-history" onToggle={(event) => (open.value = event.currentTarget.open)}>
      <summary>What moved it</summary>
      <ol>
        {commands.value?.map((command) => (
          <li key={command.id}>
            <span>{lifeOf(command)}</span>
            <span class="soft">
              {format.moment(Date.parse(command.asked_at), pictureMillis.value)} · {causeOf(command)}
            </span>
          </li>
        ))}
      </ol>
    </details>
  );
}
