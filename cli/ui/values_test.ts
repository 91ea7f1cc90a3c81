import assert from "node:assert/strict";
import { UsageError } from "./errors.ts";
import { list, oneOf, parseAssignment, parseSize } from "./values.ts";

Deno.test("parseSize() reads sizes as people write them, in powers of 1024", () => {
  for (
    const [text, bytes] of [
      ["512M", 512 * 2 ** 20],
      ["512MiB", 512 * 2 ** 20],
      ["512mb", 512 * 2 ** 20],
      ["1.5G", 1.5 * 2 ** 30],
      ["4k", 4096],
      ["0x4000", 0x4000],
      ["65536", 65536],
      ["65536B", 65536],
      ["0", 0],
      ["2T", 2 ** 41],
    ] as const
  ) assert.equal(parseSize(text), bytes, text);
});

Deno.test("parseSize() refuses what is no size", () => {
  for (const text of ["", "M", "5x", "-1", "1e9", "0x", "512 M B", "9999999T", "NaN", "1.2.3"]) {
    assert.throws(() => parseSize(text), UsageError, text);
  }
});

Deno.test("parseAssignment() splits at the first equals sign", () => {
  assert.deepEqual(parseAssignment("vid_mode=0x317"), { field: "vid_mode", value: "0x317" });
  assert.deepEqual(parseAssignment("a.b = c=d"), { field: "a.b", value: "c=d" });
  assert.throws(() => parseAssignment("vid_mode"), UsageError);
  assert.throws(() => parseAssignment("=1"), UsageError);
});

Deno.test("oneOf() takes a name in any case and suggests one for a slip", () => {
  const part = oneOf("part", ["vmlinux", "payload"]);
  assert.equal(part("VMLINUX"), "vmlinux");
  assert.throws(() => part("vmlinx"), {
    message: 'unknown part "vmlinx"',
    hints: ['Did you mean "vmlinux"?', "Parts: vmlinux, payload"],
    code: 2,
  });
});

Deno.test("list() splits at commas and leaves out what is empty", () => {
  assert.deepEqual(list("a, b,"), ["a", "b"]);
  assert.deepEqual(list(" , "), []);
});
