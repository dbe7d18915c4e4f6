import { AwayBanner, Connection } from "./connection";
import { DevicePage } from "./device-page";
import { Home } from "./home";
import { HomeIcon, NodesIcon } from "./icons";
import { NodesPage } from "./nodes-page";
import { homeHref, nodesHref, route } from "../route";
import { connection } from "../state";

/** The frame: a header, the places there are to go to, and one of them; leave logs out, where somebody is logged in. */
export function App({ leave }: { leave?: (() => void) | undefined }) {
  const here = route.value;
  return (
    <div class="frame" data-connection={connection}>
      <header class="top">
        <a class="brand" href={homeHref(here.range)}>
          <img src="icon.svg" alt="" width="28" height="28" />
          Smartmeter
        </a>
        {!isSecureContext && <span class="soft">not encrypted</span>}
        <Connection />
        {leave && (
          <button type="button" class="leave" data-testid="log-out" onClick={leave}>
            Log out
          </button>
        )}
      </header>
      <nav class="places" aria-label="Places">
        <a href={homeHref(here.range)} aria-current={here.page === "home" ? "page" : undefined}>
          <HomeIcon />
          Home
        </a>
        <a href={nodesHref} aria-current={here.page === "nodes" ? "page" : undefined}>
          <NodesIcon />
          Nodes
        </a>
      </nav>
      <main class="main">
        <AwayBanner />
        {here.page === "device" ? <DevicePage key={here.id} id={here.id} /> : here.page === "nodes" ? <NodesPage /> : <Home />}
      </main>
    </div>
  );
}
