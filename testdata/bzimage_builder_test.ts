import assert from "node:assert/strict";
import { decodeSetupHeader, nominalHeaderEnd } from "../formats/setup_header.ts";
import { bzImage } from "./bzimage_builder.ts";

const protocols = [
  0x200,
  0x201,
  0x202,
  0x203,
  0x204,
  0x205,
  0x206,
  0x207,
  0x208,
  0x209,
  0x20a,
  0x20b,
  0x20c,
  0x20d,
  0x20f,
];

Deno.test("bzImage() makes an image of any protocol, with that protocol's fields alone", () => {
  for (const protocol of protocols) {
    const { fields, version, end } = decodeSetupHeader(bzImage({ protocol }));
    assert.equal(version, protocol);
    assert.equal(end, nominalHeaderEnd(protocol));
    assert.equal(fields.boot_flag, 0xaa55);
    assert.equal("cmd_line_ptr" in fields, protocol >= 0x202);
    assert.equal("kernel_info_offset" in fields, protocol >= 0x20f);
    assert.equal("swap_dev" in fields, protocol < 0x204);
  }
  const old = bzImage({ protocol: 0 });
  assert.equal(decodeSetupHeader(old).version, 0);
  assert.ok(old.subarray(0x200, 0x204).every((b) => b === 0));
});

Deno.test("bzImage() puts the payload where the header says, its size word behind it", () => {
  const bytes = Uint8Array.of(0x1f, 0x8b, 8, 0);
  const image = bzImage({ subarch: 1, setupSects: 5, payload: { bytes, uncompressedSize: 77 } });
  const { fields } = decodeSetupHeader(image);
  const at = 6 * 512 + (fields.payload_offset ?? 0);
  assert.equal(fields.hardware_subarch, 1);
  assert.equal(fields.payload_length, 8);
  assert.deepEqual([...image.subarray(at, at + 8)], [...bytes, 77, 0, 0, 0]);
  assert.equal(image.length, 6 * 512 + fields.syssize * 16);
});

Deno.test("bzImage() takes any header field otherwise", () => {
  const header = { header: 0x12345678, setup_sects: 9, cmdline_size: 1, pref_address: 1n };
  const image = bzImage({ header });
  assert.deepEqual([image[0x1f1], image[0x202]], [9, 0x78]);
  image.set([0x48, 0x64, 0x72, 0x53], 0x202);
  const { fields } = decodeSetupHeader(image);
  assert.deepEqual([fields.cmdline_size, fields.pref_address], [1, 1n]);
});
