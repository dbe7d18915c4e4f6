import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { canBeAccepted, describeNode, type Knock, type KnownNode } from "./nodes";

test("a person can accept who came without a login, and nobody else", () => {
  const knock: Knock = { id: "a", from: "192.168.1.9", encrypted: false, reason: "not_accepted", text: "", count: 1, last: "" };
  equal(canBeAccepted(knock), true);
  equal(canBeAccepted({ ...knock, reason: "revoked" }), true);
  for (const reason of ["bad_id", "wrong_password", "needs_encryption", "bad_code", "id_taken"]) {
    equal(canBeAccepted({ ...knock, reason }), false);
  }
  equal(canBeAccepted({ ...knock, encrypted: true }), false);
});

test("a node that was revoked is called that, whatever it was", () => {
  const node: KnownNode = { id: "a", kind: "unprotected", accepted_at: "", revoked_at: null };
  deepEqual([describeNode(node), describeNode({ ...node, revoked_at: "2026-12-01T00:00:00Z" })], ["unprotected: whoever is on the network can imitate it", "revoked"]);
});
