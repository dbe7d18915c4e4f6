import { useEffect, useState } from "preact/hooks";
import { acceptNode, canBeAccepted, describeNode, fetchKnocks, fetchNodes, openWindow, revokeNode, type Accepted, type Knock, type NodeKind, type NodeList } from "../nodes";

const lookEveryMillis = 2000;

/** Which nodes may come in, who knocks, and ways to let one in. */
export function NodesPage() {
  const [list, setList] = useState<NodeList | null>(null);
  const [knocks, setKnocks] = useState<Knock[]>([]);
  const [made, setMade] = useState<Accepted | null>(null);
  const [problem, setProblem] = useState("");

  const attempt = async (work: () => Promise<void>) => {
    try {
      await work();
      setProblem("");
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  const look = () =>
    attempt(async () => {
      const now = await fetchNodes();
      setList(now);
      if (now.guard === "hub") setKnocks(await fetchKnocks());
    });
  const accept = (kind: NodeKind, id: string) =>
    attempt(async () => {
      setMade(await acceptNode(kind, id));
      await look();
    });
  const revoke = (id: string) => attempt(() => revokeNode(id).then(look));

  useEffect(() => {
    void attempt(async () => {
      if ((await fetchNodes()).guard === "hub") await openWindow();
      await look();
    });
    const timer = setInterval(() => void look(), lookEveryMillis);
    return () => clearInterval(timer);
  }, []);

  return (
    <section class="card nodes" data-testid="nodes">
      <h1>Nodes</h1>
      {problem !== "" && <p role="alert">{problem}</p>}
      {list !== null && list.guard !== "hub" && (
        <p class="soft">{list.guard === "open" ? "This hub is open: every node on its machine comes in." : "Nodes come in at another broker, which decides which may."}</p>
      )}
      {list !== null && list.guard === "hub" && (
        <>
          <Ways accept={accept} />
          {made !== null && <Told made={made} />}
          <Knocks knocks={knocks} list={list} accept={accept} />
          <Known list={list} revoke={revoke} />
        </>
      )}
    </section>
  );
}

/** The ways in that begin here. */
function Ways({ accept }: { accept: (kind: NodeKind, id: string) => void }) {
  const [id, setID] = useState("");
  return (
    <div class="ways">
      <button onClick={() => accept("paired", "")}>Make a pairing code</button>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          accept("login", id);
        }}
      >
        <input aria-label="Node id" placeholder="id, like attic" maxLength={64} required value={id} onInput={(event) => setID(event.currentTarget.value)} />
        <button>Make a login for Tasmota or ESPHome</button>
      </form>
    </div>
  );
}

/** What the node is to be told; the hub does not say it again. */
function Told({ made }: { made: Accepted }) {
  if (made.kind === "unprotected") return <p data-testid="told">{made.id} may come in.</p>;
  const texts = [made.code, made.command, made.user && `${made.user}\n${made.password}`, made.tasmota, made.esphome];
  return (
    <div data-testid="told">
      <p class="soft">{made.code ? "Give the node this code within ten minutes." : "User name and password, and settings to paste. They are not shown again."}</p>
      {made.qr && (
        <svg class="qr" viewBox={`0 0 ${made.qr.size} ${made.qr.size}`} role="img" aria-label="The pairing code">
          <rect width="100%" height="100%" fill="#fff" />
          <path d={made.qr.path} fill="#000" />
        </svg>
      )}
      {texts.map((text) => text && <pre key={text}>{text}</pre>)}
    </div>
  );
}

function Knocks({ knocks, list, accept }: { knocks: Knock[]; list: NodeList; accept: (kind: NodeKind, id: string) => void }) {
  return (
    <div data-testid="knocks">
      <h2>Who knocks</h2>
      {knocks.length === 0 && <p class="soft">Nobody yet. Nodes that are refused show up here, with the reason.</p>}
      {!list.mqtt_on_network && <p class="soft">Nodes that cannot encrypt do not reach this hub. Start it with --mqtt :1883 to let them knock.</p>}
      <ul>
        {knocks.map((knock) => (
          <li key={`${knock.id} ${knock.from} ${knock.reason}`}>
            <b>{knock.id}</b> <span class="soft">{`${knock.from}: ${knock.text}`}</span>
            {canBeAccepted(knock) && <button onClick={() => accept("unprotected", knock.id)}>Accept unprotected</button>}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Known({ list, revoke }: { list: NodeList; revoke: (id: string) => void }) {
  return (
    <div data-testid="known">
      <h2>Who may come in</h2>
      {list.nodes.length === 0 && <p class="soft">No node yet.</p>}
      <ul>
        {list.nodes.map((node) => (
          <li key={node.id}>
            <b>{node.id}</b> <span class="soft">{describeNode(node)}</span>
            {node.revoked_at === null && <button onClick={() => revoke(node.id)}>Revoke</button>}
          </li>
        ))}
      </ul>
      <p class="soft">
        The hub is recognised by the SHA-256 <code>{list.authority_sha256}</code> of <a href="/ca.pem">its certificate</a>.
      </p>
    </div>
  );
}
