/**
 * Zero pages for real kernels, by every loader, and the running kernel's own.
 */
import assert from "node:assert/strict";
import { buildZeroPage } from "../../core/zero_page.ts";
import { auditContextOf, auditZeroPage } from "../../core/zero_page_audit.ts";
import { BootError } from "../../core/errors.ts";
import { loaderNames } from "../../core/loaders/mod.ts";
import { decodeBootParams, showVersionBasis } from "../../formats/boot_params.ts";
import { sanitize } from "../../formats/sanitizer.ts";
import { decodeSetupHeader } from "../../formats/setup_header.ts";
import { forEachImage, readImage } from "../images/images.ts";
import { noOwnPage, ownZeroPage } from "../own_page.ts";

const memory = 2n << 30n;

forEachImage("every loader hands every Linux image over as it is known to", ["linux"], (file) => {
  const bytes = readImage(file);
  const image = { bytes, header: decodeSetupHeader(bytes) };
  for (const loader of loaderNames) {
    const zeroPage = buildZeroPage({
      image,
      memory,
      commandLine: "console=ttyS0",
      initrd: { size: 20 << 20 },
      loader,
    });
    for (const { at, size, who, path } of zeroPage.fields) {
      const used = zeroPage.page.subarray(at, at + size).some((byte) => byte !== 0);
      if (used) assert.notEqual(who, "nobody", `${loader} ${path}`);
    }
    const found = auditZeroPage(zeroPage.page, image, auditContextOf(zeroPage));
    const known: Readonly<Record<string, readonly string[]>> = {
      kexec: ["L04"],
      grub: ["L04"],
      lguest: ["L04", "L19"],
      elilo: ["L01", "L02", "L04", "L13"],
      gujin: ["L05"],
      loadlin: ["L23"],
      firecracker: ["L04", "L19"],
    };
    for (const { rule, message } of found) {
      assert.ok(known[loader]?.includes(rule), `${loader} ${rule}: ${message}`);
    }
  }
});

forEachImage("what is no Linux but has its header gets a page or a reason", ["header"], (file) => {
  const bytes = readImage(file);
  const image = { bytes, header: decodeSetupHeader(bytes) };
  for (const loader of loaderNames) {
    try {
      const { page } = buildZeroPage({ image, memory, commandLine: "x", loader });
      assert.equal(page.length, 4096);
      auditZeroPage(page, image);
      sanitize(page);
    } catch (error) {
      assert.ok(error instanceof BootError, `${loader}: ${error}`);
    }
  }
});

const ownPage = ownZeroPage();
const skipped = ownPage === undefined ? noOwnPage : "";

Deno.test({
  name: `the running kernel's own page decodes, its map in order${skipped}`,
  ignore: ownPage === undefined,
  fn() {
    const params = decodeBootParams(ownPage ?? new Uint8Array());
    assert.notEqual(params.versionBasis, "none", showVersionBasis(params));
    assert.ok(params.header.version >= 0x200);
    assert.ok(params.e820.some(({ addr, type }) => addr === 0n && type === 1));
    assert.deepEqual(params.leftovers, []);
  },
});
