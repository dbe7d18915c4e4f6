import { useComputed } from "@preact/signals";
import { sparkPath } from "../spark";
import { pictureMillis, spanMillis, type Entry } from "../state";

const columns = 90;
const height = 30;

/** The last hour of a device in a thumbnail. It moves on by whole columns, so that its steps keep their shape. */
export function Spark({ entry }: { entry: Entry }) {
  const end = useComputed(() => {
    const columnMillis = spanMillis.value / columns;
    return Math.ceil(pictureMillis.value / columnMillis) * columnMillis;
  });
  const path = useComputed(() =>
    sparkPath(entry.power.value, entry.device.value.interval_ms, end.value - spanMillis.value, end.value, columns, height),
  );
  return (
    <svg class="spark" viewBox={`0 0 ${columns} ${height}`} preserveAspectRatio="none" aria-hidden="true">
      <path class="spark-base" d={`M0 ${height - 0.5}H${columns}`} />
      <path class="spark-line" d={path} />
    </svg>
  );
}
