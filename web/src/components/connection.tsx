import { connection, pictureMillis, rooms } from "../state";
import { secondOfDay } from "../format";

const words = { connecting: "connecting", live: "live", away: "away" };

/** Whether what is shown is live. The dot's shape says it, too. */
export function Connection() {
  return (
    <p class="connection" data-state={connection} role="status">
      {words[connection.value]}
    </p>
  );
}

/** Says that the hub is away, and of when the picture is that still stands. */
export function AwayBanner() {
  if (connection.value !== "away") return null;
  const asOf = rooms.value === null ? null : secondOfDay(pictureMillis.value);
  return (
    <p class="banner" data-testid="banner-away" role="alert">
      <strong>The hub is away.</strong> {asOf === null ? "Nothing to show yet" : `Last picture as of ${asOf}`} · trying again…
    </p>
  );
}
