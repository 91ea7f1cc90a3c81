import assert from "node:assert/strict";
import { bzImage } from "../testdata/bzimage_builder.ts";
import { decodeSetupHeader } from "./setup_header.ts";
import { readVersionString } from "./version_string.ts";

const read = (image: Uint8Array) => readVersionString(image, decodeSetupHeader(image));
const version = "2.6.24 (me@here) #1 Thu Jan 24 22:58:37 UTC 2008";

Deno.test("readVersionString() finds text, release and place", () => {
  assert.deepEqual(read(bzImage({ protocol: 0x207, version })), {
    text: version,
    release: "2.6.24",
    offset: 0x290,
    length: version.length,
    complaints: [],
  });
});

Deno.test("an image without HdrS, with kernel_version 0 or one beyond the file has none", () => {
  assert.equal(read(bzImage({ protocol: 0 })), undefined);
  assert.equal(read(bzImage({ version: "" })), undefined);
  assert.equal(read(bzImage({ header: { kernel_version: 0xfff0 } })), undefined);
});

Deno.test("a string outside the setup code is read and complained of", () => {
  const found = read(bzImage({ setupSects: 4, version, header: { kernel_version: 0x800 } }));
  assert.equal(found?.offset, 0xa00);
  const [first] = found?.complaints ?? [];
  assert.equal(first?.rule, "version-string.place");
  assert.equal(first?.offset, 0x20e);
  assert.equal(
    first?.message,
    "setup_header.kernel_version: needs less than setup_sects × 512, 0x800, found 0x800",
  );
});

Deno.test("a string that no NUL ends stops with the setup code", () => {
  const image = bzImage({ setupSects: 1, version: "", header: { kernel_version: 0x1f0 } });
  image.fill(0x41, 0x3f0, 0x400);
  const found = read(image);
  assert.equal(found?.text, "A".repeat(16));
  assert.deepEqual(found?.complaints.map((c) => c.message), [
    "setup_header.kernel_version: no NUL ends the string before 0x400",
  ]);
});
