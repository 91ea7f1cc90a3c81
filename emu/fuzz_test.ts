import assert from "node:assert/strict";
import { runRandomState, stateKinds } from "../testdata/random_states.ts";

for (const kind of stateKinds) {
  Deno.test(`random bytes executed from random states end, and do the same compiled and interpreted: ${kind}`, () => {
    let executed = 0;
    let events = 0;
    for (let seed = 1; seed <= 3; seed++) {
      const compiled = runRandomState(seed, kind, true, 2000);
      assert.deepEqual(runRandomState(seed, kind, false, 2000), compiled, `seed ${seed}`);
      executed += compiled.instructions;
      events += compiled.events;
    }
    assert.ok(executed > 2000 && events > 0, `${executed} instructions, ${events} exceptions`);
  });
}
