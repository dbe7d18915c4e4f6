// What the page shows of an answer about energy, for tests that run it outside
// of a browser: a question in JSON on each line of the input, the texts that a
// tile, the bars of a chart and the table of a parent have on each line of the
// output. It is no part of the page.
import { barsOf, sharesOf, usedBy, type Energy } from "./energy";
import { energy, text } from "./format";

interface Question {
  readonly answer: Energy;
  /** The device, or null for the house. */
  readonly id: string | null;
}

/** As much of Node.js as is used here. */
declare const process: {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdout: { write(text: string): void };
};

function figures({ answer, id }: Question): unknown {
  const used = usedBy(answer, id);
  const bars = id === null ? [] : barsOf(answer, id, "day", Infinity);
  return {
    tile: used && text(energy(used.wh)),
    held: used?.held,
    bars: bars.map((bar) => bar.wh !== null && text(energy(bar.wh))),
    shares: id === null ? [] : sharesOf(answer, id).map((share) => text(energy(share.wh ?? 0))),
  };
}

let begun = "";
const decoder = new TextDecoder();
for await (const bytes of process.stdin) {
  const lines = (begun + decoder.decode(bytes, { stream: true })).split("\n");
  begun = lines.pop() ?? "";
  for (const line of lines) process.stdout.write(JSON.stringify(figures(JSON.parse(line) as Question)) + "\n");
}
