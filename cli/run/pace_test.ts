import assert from "node:assert/strict";
import { Pace } from "./pace.ts";

Deno.test("a guest ahead of the wall's clock waits for it, one behind does not", () => {
  let wall = 1000;
  const pace = new Pace(() => wall);
  assert.equal(pace.ahead(0), 0);
  wall += 10;
  assert.equal(pace.ahead(10e6), 0, "in step");
  assert.equal(pace.ahead(60e6), 50, "50 ms ahead");
  wall += 100;
  assert.equal(pace.ahead(60e6), 0, "behind");
});

Deno.test("time lost computing is not made up for by sleeping faster", () => {
  let wall = 0;
  const pace = new Pace(() => wall);
  pace.ahead(0);
  wall = 10_000;
  assert.equal(pace.ahead(1e9), 0, "1 s of virtual time took 10");
  assert.equal(pace.ahead(1e9 + 80e6), 80, "and a sleep of 80 ms takes 80");
});

Deno.test("a long sleep is slept in pieces, so that keys are heard", () => {
  const pace = new Pace(() => 0);
  pace.ahead(0);
  assert.equal(pace.ahead(5e9), 100);
});
