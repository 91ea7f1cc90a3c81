import assert from "node:assert/strict";
import { allStops } from "./tour.ts";
import { complaints, inOrder, stopsIn } from "./tours.ts";

Deno.test("the tours are whole: known names, unique numbers, prose and code at every stop", () => {
  assert.deepEqual(complaints(allStops()), []);
});

const sample = [
  "const before = 1;",
  "",
  "// Tour handover 030",
  "//",
  "// The loader has one page",
  "// to say everything in.",
  "export function fill(): void {",
  "  const page = 1;",
  "",
  "  // Tour handover 010",
  "  //",
  "  // First things first.",
  "  copy(page);",
  "",
  "  // not a stop: Tour handover 020 is elsewhere",
  "  done(page);",
  "}",
  "",
  "const after = 2;",
].join("\n");

Deno.test("stopsIn() takes prose, and code up to its end or the next stop", () => {
  const [fill, copy, ...others] = stopsIn("core/a.ts", sample);
  assert.deepEqual(others, []);
  assert.equal(fill?.line, 3);
  assert.equal(fill?.prose, "The loader has one page\nto say everything in.");
  assert.equal(fill?.code, "export function fill(): void {\n  const page = 1;");
  assert.deepEqual(copy, {
    tour: "handover",
    number: 10,
    path: "core/a.ts",
    line: 10,
    prose: "First things first.",
    code: "copy(page);",
  });
});

Deno.test("inOrder() goes by number, not by file", () => {
  const numbers = inOrder(stopsIn("core/a.ts", sample), "handover").map((stop) => stop.number);
  assert.deepEqual(numbers, [10, 30]);
  assert.deepEqual(inOrder(stopsIn("core/a.ts", sample), "image"), []);
});

Deno.test("complaints() finds unknown tours, twins, and empty stops", () => {
  const at = (text: string) => complaints(stopsIn("a.ts", text));
  assert.deepEqual(at("// Tour image 010\n//\n// Look.\nlet a;"), []);
  assert.match(at("// Tour holiday 010\n//\n// Look.\nlet a;").join(), /no tour holiday/);
  assert.match(at("// Tour image 010\nlet a;").join(), /says nothing/);
  assert.match(at("// Tour image 010\n//\n// Look.\n\nlet a;").join(), /no code/);
  const twice = "// Tour image 010\n//\n// Look.\nlet a;\n";
  assert.match(at(twice + "\n" + twice).join(), /a\.ts:6: image 10 is at a\.ts:1 already/);
});
