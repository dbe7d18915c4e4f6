import { rangeLabels, rangeNames } from "../range";
import { route, showRange } from "../route";

/** Chooses how much of the past a chart shows. The address says it, too. */
export function RangeSwitch() {
  return (
    <div class="ranges" role="group" aria-label="Range of the chart">
      {rangeNames.map((name) => (
        <button
          key={name}
          type="button"
          class="range"
          data-testid={`range-${name}`}
          aria-pressed={route.value.range === name}
          onClick={() => showRange(name)}
        >
          {rangeLabels[name]}
        </button>
      ))}
    </div>
  );
}
