import type { ComponentChildren } from "preact";
import type { LoadKind } from "../api";

// All icons are ours: 24 x 24, drawn with a line of the text's colour.

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      {children}
    </svg>
  );
}

export function HomeIcon() {
  return (
    <Icon>
      <path d="M4 11.5 12 4l8 7.5M6.5 9.5V20h11V9.5M10 20v-5.5h4V20" />
    </Icon>
  );
}

export function NodesIcon() {
  return (
    <Icon>
      <path d="M8 20h8M12 20v-8.5M9 9.5a4.2 4.2 0 0 1 6 0M6 6.5a8.5 8.5 0 0 1 12 0" />
    </Icon>
  );
}

export function BackIcon() {
  return (
    <Icon>
      <path d="M14.5 5.5 8 12l6.5 6.5" />
    </Icon>
  );
}

export function CloseIcon() {
  return (
    <Icon>
      <path d="m7 7 10 10M17 7 7 17" />
    </Icon>
  );
}

const kindPaths: Record<LoadKind, string> = {
  // a plug
  generic: "M9 3.5V8M15 3.5V8M6.5 8h11v3.5a5.5 5.5 0 0 1-11 0V8ZM12 17v3.5",
  // a shield with a tick
  must_stay_on: "M12 3.5 19 6v5.5c0 4.2-2.9 7.4-7 9-4.1-1.6-7-4.8-7-9V6l7-2.5ZM8.8 12l2.3 2.3 4.2-4.6",
  // rising warmth
  heater: "M7.5 15.5c-2-2.4 2-4.2 0-7.5M12 15.5c-2-2.4 2-4.2 0-7.5M16.5 15.5c-2-2.4 2-4.2 0-7.5M5 19.5h14M5 4.5h14",
  // a snowflake
  compressor: "M12 3v18M4.2 7.5l15.6 9M19.8 7.5l-15.6 9M9.5 4.5 12 7l2.5-2.5M9.5 19.5 12 17l2.5 2.5",
  // a bulb
  lighting: "M9.5 17.5h5M10.2 20.5h3.6M9.5 17.5c0-2.5-3-3.8-3-7.5a5.5 5.5 0 0 1 11 0c0 3.7-3 5-3 7.5",
};

export const kindNames: Record<LoadKind, string> = {
  generic: "device",
  must_stay_on: "must stay on",
  heater: "heater",
  compressor: "compressor",
  lighting: "lighting",
};

/** The icon of a meter that measures others, too: one dial above two branches. */
export function MeterIcon() {
  return (
    <span class="kind" data-kind="meter">
      <Icon>
        <path d="M5 13a7 7 0 1 1 14 0M12 13l3.2-3.6M3.5 13h17M8 13v3.5H5.5V20M16 13v3.5h2.5V20" />
      </Icon>
    </span>
  );
}

/** The icon of a load kind. */
export function KindIcon({ kind }: { kind: LoadKind }) {
  return (
    <span class="kind" data-kind={kind}>
      <Icon>
        <path d={kindPaths[kind] ?? kindPaths.generic} />
      </Icon>
    </span>
  );
}
