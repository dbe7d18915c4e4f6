import { nodesHref } from "../route";

const mqttPort = 1883;
const message = '{"voltage":230.1,"power":84.6}';

/** No device yet: how the first one comes. */
export function Empty() {
  const host = location.hostname;
  return (
    <section class="card empty" data-testid="empty">
      <img src="icon.svg" alt="" width="48" height="48" />
      <h1>Waiting for your first node</h1>
      <p class="soft">It shows up here by itself, a moment after its first message.</p>
      <p>
        <a href={nodesHref}>Add a node</a>
      </p>
      <dl>
        <dt>MQTT broker</dt>
        <dd>
          <code>
            {host}:{mqttPort}
          </code>
          <span class="soft aside">or the port it was started with</span>
        </dd>
        <dt>Topic</dt>
        <dd>
          <code>dev/&lt;client id&gt;/pzem/metrics</code>
        </dd>
        <dt>Message</dt>
        <dd>
          <code>{message}</code>
        </dd>
      </dl>
      <p class="soft">Without a node at hand, be one:</p>
      <pre>
        <code>
          {`mosquitto_pub -h ${host} -p ${mqttPort} \\
  -i kettle -t dev/kettle/pzem/metrics \\
  -m '${message}'`}
        </code>
      </pre>
    </section>
  );
}
