/**
 * Whatever the bytes, a PE image and what lies in it decode to a value or end in
 * a FormatError.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { bzImage } from "../testdata/bzimage_builder.ts";
import { winCertificate } from "../testdata/pe_builder.ts";
import { authenticodeRanges, decodeCertificates } from "./certificate.ts";
import { FormatError } from "./errors.ts";
import { checkImageCrc } from "./image_crc.ts";
import { decodeKernelInfo } from "./kernel_info.ts";
import { decodePe } from "./pe.ts";
import { readSetupCode } from "./setup_code.ts";
import { decodeSetupHeader } from "./setup_header.ts";
import { decodeUki } from "./uki.ts";
import { readVersionString } from "./version_string.ts";

const testdata = (name: string) =>
  Deno.readFileSync(new URL(`../testdata/pe/${name}`, import.meta.url));

/** Runs one decoder; a FormatError is a fair answer, anything else is not. */
function fairly<T>(decoder: () => T): T | undefined {
  try {
    return decoder();
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

function decodeAll(bytes: Uint8Array): void {
  const pe = fairly(() => decodePe(bytes));
  if (pe !== undefined) {
    const found = fairly(() => decodeCertificates(bytes, pe));
    assert.ok((found?.certificates.length ?? 0) <= bytes.length / 8);
    const ranges = fairly(() => authenticodeRanges(bytes, pe)) ?? [];
    const total = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
    assert.ok(total <= bytes.length, `${total} of ${bytes.length}`);
    for (const { start, end } of ranges) {
      assert.ok(0 <= start && start <= end && end <= bytes.length);
    }
    for (const s of fairly(() => decodeUki(bytes, pe))?.sections ?? []) {
      assert.ok(s.size === 0 || s.offset + s.size <= bytes.length);
    }
  }
  const header = fairly(() => decodeSetupHeader(bytes));
  if (header !== undefined) {
    checkImageCrc(bytes, header, pe);
    readVersionString(bytes, header);
    readSetupCode(bytes, header);
    fairly(() => decodeKernelInfo(bytes, header));
  }
}

const inputs = (): Uint8Array[] => [
  testdata("signed.efi"),
  testdata("uki.efi"),
  bzImage({ pe: "old", certificate: winCertificate({ bytes: new Uint8Array(50) }) }),
  bzImage({ kernelInfo: { chunks: [{ magic: "Test", data: Uint8Array.of(1) }] } }),
];

Deno.test("an image cut short anywhere in its headers or tables is a value or a FormatError", () => {
  for (const image of inputs()) {
    for (let end = 0; end < Math.min(image.length, 0x800); end++) decodeAll(image.subarray(0, end));
    for (let end = image.length - 300; end < image.length; end++) decodeAll(image.subarray(0, end));
  }
});

Deno.test("every byte of the headers and of the signatures may be anything", () => {
  for (const image of inputs()) {
    const signature = decodePe(image)?.directories["certificate"]?.address || image.length;
    for (let at = 0; at < image.length; at++) {
      if (at >= 0x400 && at < signature) continue;
      const kept = image[at] ?? 0;
      for (const value of [0, 0xff, kept ^ 1]) {
        image[at] = value;
        decodeAll(image);
      }
      image[at] = kept;
    }
  }
});

Deno.test("several bytes at once may be anything", () => {
  const originals = inputs();
  const edit = fc.tuple(fc.nat(0x7ff), fc.nat(255));
  fc.assert(
    fc.property(
      fc.nat(originals.length - 1),
      fc.array(edit, { minLength: 2, maxLength: 12 }),
      (which, edits) => {
        const image = Uint8Array.from(originals[which] ?? []);
        for (const [at, value] of edits) image[at] = value;
        image.set([0x4d, 0x5a]);
        decodeAll(image);
      },
    ),
    { seed: 7, numRuns: 5000 },
  );
});
