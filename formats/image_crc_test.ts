import assert from "node:assert/strict";
import fc from "fast-check";
import { bzImage, type Recipe } from "../testdata/bzimage_builder.ts";
import { signedFields, winCertificate } from "../testdata/pe_builder.ts";
import { crc32 } from "./crc32.ts";
import { appendCrc, checkImageCrc } from "./image_crc.ts";
import { decodePe } from "./pe.ts";
import { decodeSetupHeader } from "./setup_header.ts";

const check = (image: Uint8Array) =>
  checkImageCrc(image, decodeSetupHeader(image), decodePe(image));
const payload = Uint8Array.from({ length: 3000 }, (_, i) => i * 7);
const certificate = winCertificate({ bytes: new Uint8Array(100) });

Deno.test("an image as built is ok: its plain CRC-32 is 0xffffffff", () => {
  for (const protocol of [0x208, 0x209, 0x20a, 0x20b, 0x20c, 0x20d, 0x20f]) {
    const image = bzImage({ protocol, payload });
    const { status, end, stored, computed } = check(image);
    assert.deepEqual([status, end, stored], ["ok", image.length, computed]);
    assert.equal(crc32(image), 0xffffffff);
  }
});

Deno.test("signing changes twelve bytes, without which the word still holds", () => {
  for (const pe of ["old", "new"] as const) {
    for (const machine of ["i386", "x86-64"] as const) {
      const image = bzImage({ pe, machine, payload, certificate });
      assert.equal(check(image).status, "signed");
      assert.notEqual(crc32(image.subarray(0, check(image).end)), 0xffffffff);
    }
  }
});

Deno.test("bytes after the protected-mode part do not count", () => {
  assert.equal(check(bzImage({ payload, trailing: new Uint8Array(99).fill(7) })).status, "ok");
});

Deno.test("the word is absent before 2.08, where it is 0, and where its place is not known", () => {
  const reason = (recipe: Recipe) => {
    const { status, reason } = check(bzImage({ payload, ...recipe }));
    return status === "absent" ? reason : status;
  };
  assert.equal(reason({ protocol: 0x207 }), "protocols below 2.08 have none");
  assert.equal(reason({ protocol: 0 }), "protocols below 2.08 have none");
  assert.equal(reason({ crc: false }), "the last word is 0");
  assert.equal(reason({ header: { syssize: 0 } }), "syssize is 0, so its place is not known");
  assert.match(reason({ header: { syssize: 0xffffffff } }) ?? "", /beyond the file/);
  assert.match(reason({ header: { payload_length: 0 } }) ?? "", /ok/);
});

Deno.test("an image with the header but no payload has no word, whatever ends it", () => {
  const image = bzImage({ crc: false });
  image[image.length - 1] = 1;
  assert.equal(check(image).status, "absent");
  assert.match(check(image).reason ?? "", /there is no payload/);
});

Deno.test("any changed byte is told, signed or not, and what it needs", () => {
  const images = [bzImage({ payload }), bzImage({ pe: "new", payload, certificate })];
  fc.assert(
    fc.property(fc.nat(1), fc.nat(), fc.integer({ min: 1, max: 255 }), (which, place, flip) => {
      const image = Uint8Array.from(images[which] ?? []);
      const header = decodeSetupHeader(image);
      const pe = decodePe(image);
      const { end = 0, stored } = checkImageCrc(image, header, pe);
      const at = place % (end - 4);
      const { checksum, entry } = signedFields(image);
      const inHole = which === 1 &&
        ((at >= checksum && at < checksum + 4) || (at >= entry && at < entry + 8));
      image[at] = (image[at] ?? 0) ^ flip;
      const found = checkImageCrc(image, header, pe);
      assert.equal(found.status, inHole ? "signed" : "changed");
      assert.equal(found.stored, stored);
      assert.equal(found.computed === stored, inHole);
    }),
    { seed: 4, numRuns: 500 },
  );
});

Deno.test("appendCrc() writes the word that makes any image hold", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 200 }), (bytes) => {
      const word = appendCrc(bytes);
      assert.equal(crc32(bytes), 0xffffffff);
      assert.equal(new DataView(bytes.buffer).getUint32(bytes.length - 4, true), word);
    }),
    { seed: 5, numRuns: 200 },
  );
  assert.throws(() => appendCrc(new Uint8Array(3)), RangeError);
});
