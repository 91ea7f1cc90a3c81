import assert from "node:assert/strict";
import { caseOf, median, ratios, table } from "./boot_bench.ts";
import { observe } from "./observe.ts";

Deno.test("a case is a kernel and known words", () => {
  assert.deepEqual(caseOf("6.1-686+notests+direct"), {
    name: "6.1-686+notests+direct",
    id: "linux-6.1-686",
    words: ["notests", "direct"],
  });
  assert.match(String(caseOf("6.1-686+tests")), /no word tests; there are notests, /);
});

Deno.test("ratios are taken within the rounds, and their median comes after", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  const ours = [{ off: 1 }, { off: 10 }, { off: 3 }];
  const theirs = [{ off: 2 }, { off: 10 }, { off: 1 }];
  assert.deepEqual(ratios(ours, theirs), { off: 1 });
});

Deno.test("a table has dashes where nothing was measured", () => {
  const rows = [["bootrun", { off: 1.234, "peak MiB": 99.6 }], ["other", { off: NaN }]] as const;
  assert.equal(
    table("case", rows),
    "| case | off | peak MiB |\n| --- | ---: | ---: |\n| bootrun | 1.23 | 100 |\n| other | – | – |",
  );
});

Deno.test("a process is watched: marks in their order, exit code, last words", async () => {
  const marks = [{ name: "first", text: "one" }, { name: "second", text: "two" }];
  const said = "echo two; sleep 0.1; printf on; sleep 0.1; echo e two; echo oops >&2; exit 3";
  const seen = await observe(["sh", "-c", said], marks, 30);
  const { first, second } = seen.marks;
  assert.ok(first && second);
  assert.ok(0.2 <= first.wall && first.wall <= second.wall && second.wall <= seen.end.wall);
  assert.equal(seen.code, 3);
  assert.match(seen.said, /^two\none two\noops/);
});

Deno.test("a process that does not end is killed", async () => {
  const seen = await observe(["sh", "-c", "echo one; exec sleep 60"], [], 0.3);
  assert.ok(seen.end.wall < 30);
  assert.notEqual(seen.code, 0);
});

Deno.test("v86 is pinned to a release", async () => {
  const script = await Deno.readTextFile(new URL("v86_boot.ts", import.meta.url));
  assert.match(script, /"npm:v86@\d+\.\d+\.\d+"/);
});
