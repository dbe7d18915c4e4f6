import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

/** How long a button that needs holding is held, and how long a hint stands. */
const holdMillis = 1_000;
const hintMillis = 4_000;
/** Letting go of a held button still makes a click, at once. */
const clickMillis = 100;

interface Props {
  readonly class: string;
  /** Whether the action needs the button to be held for a second. */
  readonly hold: boolean;
  readonly onAct: () => void;
  /** Called when the button was only tapped, and with false when that is past. */
  readonly onHint?: (hinting: boolean) => void;
  readonly disabled?: boolean;
  readonly busy?: boolean;
  readonly pressed?: boolean;
  readonly label: string;
  readonly testID?: string;
  readonly state?: string;
  readonly children: ComponentChildren;
}

/**
 * A button that acts at once, or after having been held: with a pointer, or
 * with Enter or the space bar. Where neither can be held, as with a screen
 * reader, which only ever clicks, a second click while the hint stands does it.
 */
export function HoldButton(props: Props) {
  const { hold, disabled = false, busy = false } = props;
  const { holding, press, letGo, click } = usePress(hold, !disabled && !busy, props.onAct, props.onHint);
  const keyDown = (event: KeyboardEvent) => {
    if (!isActivation(event)) return;
    if (hold || event.repeat) event.preventDefault(); // no click of its own
    if (!event.repeat) press();
  };
  return (
    <button
      type="button"
      class={props.class}
      data-testid={props.testID}
      data-state={props.state}
      data-holding={holding}
      aria-pressed={props.pressed}
      aria-busy={busy}
      aria-label={props.label}
      disabled={disabled}
      onClick={click}
      onPointerDown={(event) => event.button === 0 && press()}
      onPointerUp={() => letGo(false)}
      onPointerLeave={() => letGo(false)}
      onPointerCancel={() => letGo(false)}
      onKeyDown={keyDown}
      onKeyUp={(event) => letGo(isActivation(event))}
      onBlur={() => letGo(false)}
      onContextMenu={(event) => hold && event.preventDefault()}
    >
      {props.children}
    </button>
  );
}

function isActivation(event: KeyboardEvent): boolean {
  return event.key === "Enter" || event.key === " ";
}

/**
 * usePress turns pressing, letting go and clicking into one action for one
 * wish: neither the second half of a double click, nor a key that repeats, nor
 * letting go after holding, acts again on a button that may mean the opposite
 * by then.
 */
function usePress(hold: boolean, ready: boolean, onAct: () => void, onHint: (hinting: boolean) => void = () => {}) {
  const [holding, setHolding] = useState(false);
  const holdTimer = useTimer();
  const hintTimer = useTimer();
  const held = useRef(false); // and not yet let go of

  const act = () => {
    holdTimer.stop();
    setHolding(false);
    hintTimer.stop();
    onHint(false);
    onAct();
  };
  const hint = () => {
    onHint(true);
    hintTimer.start(hintMillis, () => onHint(false));
  };
  const press = () => {
    if (!hold || !ready) return;
    setHolding(true);
    holdTimer.start(holdMillis, () => {
      held.current = true;
      act();
    });
  };
  const letGo = (early: boolean) => {
    if (holding && early) hint();
    holdTimer.stop();
    setHolding(false);
    if (held.current) setTimeout(() => (held.current = false), clickMillis);
  };
  const click = (event: MouseEvent) => {
    if (!ready || held.current || event.detail > 1) return;
    const bySoftware = event.detail === 0;
    if (!hold || (bySoftware && hintTimer.runs())) {
      act();
    } else {
      hint();
    }
  };
  return { holding, press, letGo, click };
}

interface Timer {
  /** start calls back once, unless stopped or started again before. */
  start(millis: number, callback: () => void): void;
  stop(): void;
  runs(): boolean;
}

/** useTimer returns a timer that ends with its component. */
function useTimer(): Timer {
  const ref = useRef<Timer | null>(null);
  ref.current ??= newTimer();
  useEffect(() => () => ref.current?.stop(), []);
  return ref.current;
}

function newTimer(): Timer {
  let id: number | null = null;
  const stop = () => {
    if (id !== null) clearTimeout(id);
    id = null;
  };
  return {
    start(millis, callback) {
      stop();
      id = setTimeout(() => {
        id = null;
        callback();
      }, millis);
    },
    stop,
    runs: () => id !== null,
  };
}
