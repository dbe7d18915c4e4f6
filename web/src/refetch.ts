// When to ask again for a stretch of the past, pure. A step that has passed is
// a reason; and a past that has just been opened may still be coming in (a node
// sends what it kept, a hub imports a history), so that the first minute is
// watched more closely for as long as more of it appears.

/** How long a past is watched after it was opened. */
const settlingMillis = 60_000;
const firstWaitMillis = 3_000;
/** How long after its end a step is asked for: by then every ordinary meter was read. */
const lateMillis = 8_000;

export class Refetch {
  readonly #openedMillis: number;
  readonly #stepMillis: number;
  #known = -1;
  #waitMillis = firstWaitMillis;

  /** stepMillis is Infinity for a past that stays up to date by itself once it came in. */
  constructor(openedMillis: number, stepMillis: number) {
    this.#openedMillis = openedMillis;
    this.#stepMillis = stepMillis;
  }

  /** next takes the begins of what is known now, and says how long to wait before asking again; Infinity for never. */
  next(nowMillis: number, tMillis: readonly number[]): number {
    const known = tMillis.filter((t) => t < this.#openedMillis).length;
    this.#waitMillis = known > this.#known ? firstWaitMillis : 2 * this.#waitMillis;
    this.#known = known;
    const untilStep = this.#stepMillis - ((nowMillis - lateMillis) % this.#stepMillis);
    const settled = nowMillis + this.#waitMillis > this.#openedMillis + settlingMillis;
    return settled ? untilStep : Math.min(this.#waitMillis, untilStep);
  }
}
