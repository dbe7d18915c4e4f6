import { equal } from "node:assert/strict";
import { test } from "node:test";
import { sparkPath } from "./spark";

const draw = (tMillis: number[], watts: (number | null)[]) => sparkPath({ tMillis, watts }, 5, 0, 100, 10, 22);

test("each column shows its highest value", () => {
  equal(draw([0, 5, 10, 12, 20], [100, 50, 20, 0, 0]), "M0 1h1H1V17H2V21");
});

test("a gap breaks the line", () => {
  equal(draw([0, 5, 40, 45], [100, 100, 100, null]), "M0 1h1M4 1h1");
});

test("what is coarser than the meter is read at now stays one line", () => {
  equal(draw([0, 20, 40, 45], [100, 100, 100, 100]), "M0 1h1H2V1H4V1");
});

test("idle noise is no mountain", () => {
  equal(draw([0], [1]), "M0 19h1");
});

test("what lies outside is not drawn, and nothing is an empty path", () => {
  equal(draw([-5, 105], [100, 100]), "");
  equal(draw([], []), "");
});
