import { render } from "preact";
import "./styles/tokens.css";
import "./styles/frame.css";
import "./styles/chart.css";
import "./styles/tile.css";
import "./styles/empty.css";
import "./styles/home.css";
import "./styles/relay.css";
import "./styles/device.css";
import "./styles/gate.css";
import "./styles/energy.css";
import "./styles/alerts.css";
import "./styles/nodes.css";
import { Gate } from "./components/gate";
import { followLocation } from "./route";

followLocation();
render(<Gate />, document.getElementById("app") as HTMLElement);
