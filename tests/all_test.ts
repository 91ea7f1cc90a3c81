import assert from "node:assert/strict";
import { closingLine, countsOf, skippedTests } from "./all.ts";

Deno.test("countsOf() reads deno test's closing line, steps and all", () => {
  assert.deepEqual(countsOf("a ... ok (2ms)\n\nok | 12 passed | 0 failed (2s)\n"), {
    passed: 12,
    failed: 0,
    skipped: 0,
  });
  assert.deepEqual(
    countsOf("FAILED | 3 passed (7 steps) | 2 failed (1 step) | 4 ignored (1 step) (15s)\n\nerror"),
    { passed: 3, failed: 2, skipped: 4 },
  );
  assert.equal(countsOf("error: Module not found"), undefined);
  assert.equal(countsOf(""), undefined);
});

Deno.test("countsOf() takes the last such line, for tests may print others", () => {
  const output = "ok | 1 passed | 0 failed (1ms)\nFAILED | 0 passed | 1 failed (1ms)\n";
  assert.deepEqual(countsOf(output), { passed: 0, failed: 1, skipped: 0 });
});

Deno.test("skippedTests() names skipped tests, with the reason in the name", () => {
  const output =
    "one ... ok (1ms)\ntwo (skipped: no images) ... ignored (0ms)\n  step ... ignored\n";
  assert.deepEqual(skippedTests(output), ["two (skipped: no images)"]);
});

Deno.test("closingLine() speaks of skipped tests only where there are some", () => {
  assert.equal(closingLine({ passed: 5, failed: 0, skipped: 0 }), "5 passed, 0 failed");
  assert.equal(closingLine({ passed: 5, failed: 1, skipped: 2 }), "5 passed, 1 failed, 2 skipped");
});
