/** Real kernels as PE images: headers, signatures, check words, version strings. */

import assert from "node:assert/strict";
import { authenticodeDigest, checkDigests, decodeCertificates } from "../../formats/certificate.ts";
import { hexBytes } from "../../formats/der.ts";
import { checkImageCrc } from "../../formats/image_crc.ts";
import { decodeKernelInfo } from "../../formats/kernel_info.ts";
import { decodePe } from "../../formats/pe.ts";
import { readSetupCode } from "../../formats/setup_code.ts";
import { decodeSetupHeader } from "../../formats/setup_header.ts";
import { decodeUki } from "../../formats/uki.ts";
import { readVersionString } from "../../formats/version_string.ts";
import { forEachImage, readImage, withImages } from "../images/images.ts";

forEachImage("every Linux image is a sound PE image in one of two shapes", ["linux"], (image) => {
  const bytes = readImage(image);
  const pe = decodePe(bytes);
  assert.ok(pe !== undefined);
  assert.deepEqual(pe.complaints, []);
  assert.notEqual(pe.checksum?.status, "wrong");
  assert.equal(pe.linuxLayout, image.id.startsWith("linux-5.10") ? "old" : "new");
  // A 64-bit kernel says where firmware of 32 bits may enter.
  assert.deepEqual(pe.compat.map((c) => c.machine), pe.isPlus ? [0x14c] : []);
  assert.equal(decodeUki(bytes, pe), undefined);
});

forEachImage(
  "every signed Linux image is as it was when Debian signed it",
  ["linux"],
  async (image) => {
    const bytes = readImage(image);
    const pe = decodePe(bytes);
    assert.ok(pe !== undefined);
    const table = decodeCertificates(bytes, pe);
    assert.deepEqual(table.complaints, []);
    const verdicts = await checkDigests(bytes, pe, table);
    const isSigned = !image.id.endsWith("-unsigned");
    assert.deepEqual(verdicts.map((v) => v.status), isSigned ? ["matches"] : []);
    for (const { signature } of table.certificates) {
      assert.match(signature?.signers[0]?.subject?.commonName ?? "", /^Debian Secure Boot Signer/);
    }
  },
);

withImages(
  "an unsigned kernel has the digest that was signed for its signed twin",
  ["linux-6.1-cloud-amd64", "linux-6.1-cloud-amd64-unsigned"],
  async ([signed, unsigned], t) => {
    assert.ok(signed !== undefined && unsigned !== undefined);
    const [a, b] = [readImage(signed), readImage(unsigned)];
    const [peA, peB] = [decodePe(a), decodePe(b)];
    assert.ok(peA !== undefined && peB !== undefined);
    const text = (bytes: Uint8Array) => readVersionString(bytes, decodeSetupHeader(bytes))?.text;
    const ignore = text(a) !== text(b);
    const why = ignore ? " (skipped: the archive has them from different builds)" : "";
    const fn = async () => {
      const digest = decodeCertificates(a, peA).certificates[0]?.signature?.imageDigest;
      assert.equal(
        hexBytes(await authenticodeDigest(b, peB, "SHA-256")),
        hexBytes(digest ?? new Uint8Array()),
      );
    };
    await t.step({ name: `the digests are one${why}`, ignore, fn });
  },
);

forEachImage("the check word holds up to 6.12 and is absent from 6.16 on", ["linux"], (image) => {
  const bytes = readImage(image);
  const header = decodeSetupHeader(bytes);
  const release = readVersionString(bytes, header)?.release ?? "";
  const [major = 0, minor = 0] = release.split(".").map((part) => parseInt(part));
  const hasCrc = major < 6 || (major === 6 && minor <= 12);
  const held = image.id.endsWith("-unsigned") ? "ok" : "signed";
  assert.equal(checkImageCrc(bytes, header, decodePe(bytes)).status, hasCrc ? held : "absent");
});

forEachImage(
  "setup code, version string and kernel_info are where they belong",
  ["linux"],
  (image) => {
    const bytes = readImage(image);
    const header = decodeSetupHeader(bytes);
    const setup = readSetupCode(bytes, header);
    assert.deepEqual(setup.sentinel, [0xff, 0xff]);
    assert.ok(setup.signature !== undefined && setup.signature < setup.size);
    assert.equal(setup.maker, undefined);
    const version = readVersionString(bytes, header);
    assert.deepEqual(version?.complaints, []);
    assert.match(version?.text ?? "", /^\d+\.\d+\.\d+\S* \(\S+@\S+\) #1 .* Debian /);
    const info = decodeKernelInfo(bytes, header);
    assert.deepEqual([info?.fields.size, info?.fields.size_total], [16, 16]);
    assert.deepEqual([info?.chunks, info?.complaints], [[], []]);
  },
);

forEachImage("what only wears the header is named, and has no check word", ["header"], (image) => {
  const bytes = readImage(image);
  const header = decodeSetupHeader(bytes);
  const { maker } = readSetupCode(bytes, header);
  const named = { memtest86: "memtest86 or", memdisk: "memdisk", ipxe: "iPXE", lnxboot: "GRUB" };
  const [, name] = Object.entries(named).find(([id]) => image.id.startsWith(id)) ?? [];
  assert.ok(name !== undefined && maker?.startsWith(name), `${image.id}: ${maker}`);
  assert.equal(checkImageCrc(bytes, header, decodePe(bytes)).status, "absent");
});

forEachImage("boot programs are sound PE images and no UKIs", ["pe"], (image) => {
  const bytes = readImage(image);
  const pe = decodePe(bytes);
  assert.ok(pe !== undefined);
  assert.deepEqual(pe.complaints, []);
  assert.equal(pe.linuxLayout, undefined);
  assert.equal(decodeUki(bytes, pe), undefined);
});
