import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

/** How long a button that needs holding is held, and how long a hint stands. */
const holdMillis = 1_000;
const hintMillis = 4_000;

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
  const { hold, onAct, onHint, disabled = false, busy = false } = props;
  const [holding, setHolding] = useState(false);
  const timer = useRef(0);
  const hint = useRef(0);

  const release = () => {
    clearTimeout(timer.current);
    setHolding(false);
  };
  const endHint = () => {
    clearTimeout(hint.current);
    hint.current = 0;
    onHint?.(false);
  };
  const act = () => {
    release();
    endHint();
    if (!disabled && !busy) onAct();
  };
  const press = () => {
    if (!hold || disabled || busy) return;
    clearTimeout(timer.current);
    timer.current = setTimeout(act, holdMillis);
    setHolding(true);
  };
  const tapped = (event: MouseEvent) => {
    if (disabled || busy) return;
    const bySoftware = event.detail === 0;
    if (!hold || (bySoftware && hint.current !== 0)) {
      act();
      return;
    }
    clearTimeout(hint.current);
    hint.current = setTimeout(endHint, hintMillis);
    onHint?.(true);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (!hold || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault(); // no click of its own
    if (!event.repeat) press();
  };
  useEffect(
    () => () => {
      clearTimeout(timer.current);
      clearTimeout(hint.current);
    },
    [],
  );

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
      onClick={tapped}
      onPointerDown={(event) => event.button === 0 && press()}
      onPointerUp={release}
      onPointerLeave={release}
      onPointerCancel={release}
      onKeyDown={onKeyDown}
      onKeyUp={release}
      onBlur={release}
      onContextMenu={(event) => hold && event.preventDefault()}
    >
      {props.children}
    </button>
  );
}
