import assert from "node:assert/strict";
import fc from "fast-check";
import { bzImage } from "../testdata/bzimage_builder.ts";
import { FormatError } from "./errors.ts";
import { decodeKernelInfo, encodeKernelInfo, kernelInfo, LTOP } from "./kernel_info.ts";
import { meaning } from "./layout.ts";
import { protectedModeStart } from "./setup_code.ts";
import { decodeSetupHeader } from "./setup_header.ts";

const read = (image: Uint8Array) => decodeKernelInfo(image, decodeSetupHeader(image));

Deno.test("kernel_info of a kernel as they are built has sixteen bytes and no chunks", () => {
  const info = read(bzImage({ protocol: 0x20f }));
  assert.deepEqual(info?.fields, {
    header: LTOP,
    size: 16,
    size_total: 16,
    setup_type_max: 0x8000000a,
  });
  assert.deepEqual([info?.chunks, info?.complaints], [[], []]);
  const row = kernelInfo.fields.setup_type_max;
  assert.equal(meaning(row, 0x80000009), "SETUP_INDIRECT | SETUP_RNG_SEED");
  assert.equal(meaning(row, 0x80000042), "SETUP_INDIRECT | type 66");
});

Deno.test("protocols before 2.15, and a 2.15 that names none, have no kernel_info", () => {
  assert.equal(read(bzImage({ protocol: 0x20d })), undefined);
  assert.equal(read(bzImage({ kernelInfo: false })), undefined);
});

Deno.test("variable chunks come back as they were written", () => {
  const chunk = fc.record({
    magic: fc.stringMatching(/^[A-Za-z0-9]{4}$/),
    data: fc.uint8Array({ maxLength: 20 }),
  }, { noNullPrototype: true });
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 5 }), fc.nat(0xffffffff), (chunks, type) => {
      const info = read(bzImage({ kernelInfo: { setup_type_max: type, chunks } }));
      assert.deepEqual(info?.chunks.map(({ magic, data }) => ({ magic, data })), chunks);
      assert.equal(info?.fields.setup_type_max, type);
      assert.deepEqual(info?.complaints, []);
    }),
    { seed: 3, numRuns: 100 },
  );
});

Deno.test("wrong sizes are complaints, a wrong magic or place a FormatError", () => {
  const broken = (edit: (info: DataView) => void, parts = {}) => {
    const image = bzImage({ kernelInfo: parts, crc: false });
    const header = decodeSetupHeader(image);
    const at = protectedModeStart(header) + (header.fields.kernel_info_offset ?? 0);
    edit(new DataView(image.buffer, at));
    return decodeKernelInfo(image, header)?.complaints.map((c) => c.message) ?? [];
  };
  assert.deepEqual(broken((v) => v.setUint32(4, 8, true)), ["size needs at least 16, found 8"]);
  assert.deepEqual(broken((v) => v.setUint32(8, 4, true)), ["size_total 4 is less than size 16"]);
  assert.match(broken((v) => v.setUint32(8, 0xffffffff, true))[0] ?? "", /passes the end/);
  const one = { chunks: [{ magic: "What", data: Uint8Array.of(1, 2, 3) }] };
  assert.deepEqual(broken((v) => v.setUint32(20, 0, true), one), [
    "chunk size needs 8 to 11, found 0",
  ]);
  assert.deepEqual(broken((v) => v.setUint32(20, 10, true), one), [
    "1 bytes left over, less than a chunk's header",
  ]);
  const many = Array.from({ length: 300 }, () => ({ magic: "Many", data: new Uint8Array() }));
  assert.deepEqual(broken(() => {}, { chunks: many }), [
    "more than 256 chunks; the rest is not read",
  ]);
  assert.throws(
    () => broken((v) => v.setUint32(0, 0, true)),
    /kernel_info\.header at 0x[0-9a-f]+: needs 0x506f544c \("LToP"\), found 0x00000000/,
  );
  assert.throws(
    () => read(bzImage({ header: { kernel_info_offset: 0x7fffffff } })),
    FormatError,
  );
});

Deno.test("encodeKernelInfo() writes the sixteen bytes every kernel since 5.5 carries", () => {
  const expected = [0x4c, 0x54, 0x6f, 0x50, 16, 0, 0, 0, 16, 0, 0, 0, 9, 0, 0, 0x80];
  assert.deepEqual([...encodeKernelInfo({ setup_type_max: 0x80000009 })], expected);
});
