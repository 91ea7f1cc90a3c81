import assert from "node:assert/strict";
import { bzImage } from "../testdata/bzimage_builder.ts";
import { protectedModeEnd, protectedModeStart, readSetupCode } from "./setup_code.ts";
import { decodeSetupHeader } from "./setup_header.ts";

Deno.test("the protected-mode part starts after setup_sects and the boot sector, 0 being 4", () => {
  for (const [setupSects, start] of [[0, 2560], [1, 1024], [4, 2560], [39, 20480]] as const) {
    const header = decodeSetupHeader(bzImage({ setupSects, version: "" }));
    assert.equal(protectedModeStart(header), start);
  }
});

Deno.test("where the protected-mode part ends is known from 2.04 on, and of any zImage", () => {
  const end = (image: Uint8Array) => protectedModeEnd(decodeSetupHeader(image));
  const image = bzImage({ protocol: 0x204 });
  assert.equal(end(image), image.length);
  assert.equal(end(bzImage({ protocol: 0x203 })), undefined);
  const zImage = bzImage({ protocol: 0x203, high: false });
  assert.equal(end(zImage), zImage.length);
  assert.equal(end(bzImage({ header: { syssize: 0 } })), undefined);
});

Deno.test("readSetupCode() finds sentinel, signature and the last byte", () => {
  const image = bzImage({ protocol: 0x20f, version: "x".repeat(16) });
  // The string at 0x290 has sixteen letters and a NUL; the mark follows, aligned.
  assert.deepEqual(readSetupCode(image, decodeSetupHeader(image)), {
    size: 2560,
    sentinel: [0xff, 0xff],
    signature: 0x2a4,
    lastByte: 0x2a8,
  });
  const older = bzImage({ protocol: 0x20b });
  assert.deepEqual(readSetupCode(older, decodeSetupHeader(older)).sentinel, [0, 0]);
});

Deno.test("readSetupCode() names the programs that only wear the header", () => {
  const named = (text: string) => {
    const image = bzImage({
      version: text,
      edit: (bytes) => bytes.fill(0, 0x290 + text.length, 0x400),
    });
    return readSetupCode(image, decodeSetupHeader(image)).maker;
  };
  assert.equal(named("Memtest86+ v6.10"), "memtest86 or memtest86+");
  assert.equal(named("MEMDISK 6.04 20200816"), "memdisk");
  assert.equal(named("Installation failed - cannot continue"), "iPXE");
  assert.equal(named("move memory fails"), "GRUB lnxboot");
  assert.equal(named("something else"), undefined);
});
