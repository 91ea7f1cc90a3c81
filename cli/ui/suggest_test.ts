import assert from "node:assert/strict";
import fc from "fast-check";
import { distance, suggestion } from "./suggest.ts";

const platforms = ["pc", "lguest", "xen", "intel-mid", "ce4100", "multiboot"];

Deno.test("suggestion() finds the name a slip away", () => {
  assert.equal(suggestion("lguset", platforms), "lguest");
  assert.equal(suggestion("XEN", platforms), "xen");
  assert.equal(suggestion("multibot", platforms), "multiboot");
  assert.equal(suggestion("intel", platforms), "intel-mid");
  assert.equal(suggestion("setup_sects", ["setup_header.setup_sects"]), "setup_header.setup_sects");
});

Deno.test("suggestion() is silent where nothing is near", () => {
  assert.equal(suggestion("raspberry", platforms), undefined);
  assert.equal(suggestion("", platforms), undefined);
  assert.equal(suggestion("x", []), undefined);
});

Deno.test("distance() is a metric that counts single edits as one", () => {
  assert.equal(distance("xen", "xen"), 0);
  assert.equal(distance("xn", "xen"), 1);
  assert.equal(distance("exn", "xen"), 1);
  assert.equal(distance("", "xen"), 3);
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      assert.equal(distance(a, b), distance(b, a));
      assert.ok(distance(a, b) <= Math.max(a.length, b.length));
      assert.ok(distance(a, b) >= Math.abs(a.length - b.length));
    }),
    { seed: 4, numRuns: 500 },
  );
});
