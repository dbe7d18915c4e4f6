// The colours of the style sheet, for a canvas, which knows no custom
// properties. They are read anew when light turns to dark.
import { signal } from "@preact/signals";

/** What a chart takes from the style sheet. */
export interface Palette {
  readonly consumption: string;
  readonly consumptionArea: string;
  readonly consumptionBand: string;
  readonly selected: string;
  readonly ink: string;
  readonly line: string;
}

const dark = matchMedia("(prefers-color-scheme: dark)");

export const palette = signal(readPalette());
dark.addEventListener("change", () => (palette.value = readPalette()));

function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string) => style.getPropertyValue(name).trim();
  return {
    consumption: token("--consumption"),
    consumptionArea: token("--consumption-area"),
    consumptionBand: token("--consumption-band"),
    selected: token("--selected"),
    ink: token("--ink-soft"),
    line: token("--line"),
  };
}
