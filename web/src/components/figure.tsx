import type { Figure } from "../format";

/** A figure with its unit set smaller; its text reads "85 W". Without a value it is a dash: not measured is not zero. */
export function Quantity({ figure }: { figure: Figure | null }) {
  if (figure === null) {
    return (
      <span class="figure" role="img" aria-label="not measured">
        –
      </span>
    );
  }
  return (
    <span class="figure">
      {figure.value}
      {figure.unit !== "" && <span class="unit">{"\u00a0" + figure.unit}</span>}
    </span>
  );
}
