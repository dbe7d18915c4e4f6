import { useSignal } from "@preact/signals";
import type { Alert } from "../api";
import { moment } from "../format";
import { deviceHref, route } from "../route";
import { alertsOf, connection, entryOf, pictureMillis, unseenAlerts, type Entry } from "../state";
import { acknowledge } from "../sync";

const kindWords: Record<Alert["kind"], string> = {
  welded_relay: "relay may be welded",
  dead_load: "on, draws nothing",
  not_obeying: "does not answer commands",
  cut_off: "cut off by its node",
};

/** alertWord is an alert in two or three words. */
export function alertWord(alert: Alert): string {
  return kindWords[alert.kind] ?? alert.kind;
}

/** Above everything else, and only when there is something: what nobody has seen yet. */
export function AlertStrip() {
  const unseen = unseenAlerts.value;
  if (unseen.length === 0) return null;
  return (
    <section class="alerts" aria-label="Alerts" data-testid="alerts">
      {unseen.map((alert) => (
        <AlertCard key={alert.id} alert={alert} named={true} />
      ))}
    </section>
  );
}

/** On a device's page: all that is so, seen or not. */
export function DeviceAlerts({ entry }: { entry: Entry }) {
  const all = alertsOf(entry.id);
  if (all.length === 0) return null;
  return (
    <section class="alerts" aria-label="Alerts of this device">
      {all.map((alert) => (
        <AlertCard key={alert.id} alert={alert} named={false} />
      ))}
    </section>
  );
}

function AlertCard({ alert, named }: { alert: Alert; named: boolean }) {
  const failure = useSignal("");
  const name = entryOf(alert.device)?.device.value.name ?? alert.device;
  return (
    <div class="alert" data-severity={alert.severity} data-testid={`alert-${alert.device}-${alert.kind}`} role="alert">
      <div>
        <p class="alert-title">
          {named && <a href={deviceHref(alert.device, route.value.range)}>{name}</a>}
          {named && " "}
          {alertWord(alert)}
          <span class="soft"> · {moment(Date.parse(alert.raised_at), pictureMillis.value)}</span>
        </p>
        <p>{alert.text}</p>
        {failure.value !== "" && <p>{failure.value}.</p>}
      </div>
      {alert.acknowledged_at === null ? (
        <button
          type="button"
          class="action"
          disabled={connection.value === "away"}
          aria-label={`Seen: ${name} ${alertWord(alert)}`}
          onClick={() => void acknowledge(alert.id).then((why) => (failure.value = why))}
        >
          Seen
        </button>
      ) : (
        <span class="soft">seen</span>
      )}
    </div>
  );
}
