import assert from "node:assert/strict";
import fc from "fast-check";
import { bootParamsBtf, eddUnionsBtf } from "../testdata/boot_params_layout.ts";
import { pageOf, pvhPage } from "../testdata/zero_pages.ts";
import { bootParams, decodeBootParams, showVersionBasis } from "./boot_params.ts";
import { eddDevicePaths, eddInfo, eddInterfacePaths, showEddPaths } from "./edd.ts";
import { FormatError } from "./errors.ts";
import { decode, encode, flaws, meaning, type Structure, walk } from "./layout.ts";
import { sanitize } from "./sanitizer.ts";
import { HDRS } from "./setup_header.ts";

const text = (letters: string): Uint8Array => new TextEncoder().encode(letters);

Deno.test("every byte of the zero page belongs to just one row", () => {
  assert.deepEqual([...flaws(bootParams)], []);
  const covered = new Uint8Array(4096);
  for (const { at, size } of walk(bootParams)) {
    for (let i = 0; i < size; i++) covered[at + i] = (covered[at + i] ?? 0) + 1;
  }
  assert.ok(covered.every((times) => times === 1));
});

Deno.test("the views of both EDD unions cover their bytes", () => {
  for (const view of [...Object.values(eddInterfacePaths), ...Object.values(eddDevicePaths)]) {
    assert.deepEqual([...flaws(view)], [], view.name);
  }
});

Deno.test("names, offsets and sizes are those of the BTF of Linux 6.1", () => {
  const ours = new Set([...walk(bootParams)].map(({ path, at, size }) => `${path} ${at} ${size}`));
  const lines = bootParamsBtf.trim().split("\n");
  assert.equal(lines.length, 157);
  const missing = lines.filter((line) => !ours.has(line));
  assert.deepEqual(missing, ["e820_table[128] 720 2560", "eddbuf[6] 3328 492"]);
  assert.deepEqual([bootParams.fields.e820_table.at, bootParams.fields.eddbuf.at], [720, 3328]);
  // And nothing of ours is unknown to the kernel, but for the other elements.
  const theirs = new Set(lines);
  const extra = [...ours].filter((line) => !theirs.has(line) && !/\[[1-9]\d*\]\./.test(line));
  assert.deepEqual(extra, []);
});

Deno.test("the views of the EDD unions are those of the BTF of Linux 6.1", () => {
  const bases = { interface_path: 3384, device_path: 3392 };
  const lines = eddUnionsBtf.trim().split("\n").filter((line) => !line.includes(" unknown."));
  const ours = ([["interface_path", eddInterfacePaths], ["device_path", eddDevicePaths]] as const)
    .flatMap(([union, views]) =>
      Object.values(views).flatMap((view) =>
        [...walk(view)].map(({ path, at, size }) =>
          `${union} ${view.name}.${path} ${bases[union] + at} ${size}`
        )
      )
    );
  // Runs of reserved bytes are told apart in C; we do as C does.
  assert.deepEqual(ours.sort(), lines.sort());
});

Deno.test("every row of the zero page says what it is", () => {
  const rows = (structure: Structure): void => {
    for (const [name, row] of Object.entries(structure.fields)) {
      assert.match(row.doc, /^\S.*\.$/, `${structure.name}.${name}`);
      if (row.type === "struct" || (row.type === "array" && typeof row.of !== "string")) {
        rows(row.of as Structure);
      }
    }
  };
  rows(bootParams);
});

Deno.test("a page made by a kernel entered through PVH decodes by its version word", () => {
  const params = decodeBootParams(pvhPage());
  assert.equal(params.versionBasis, "version word");
  assert.equal(params.header.version, 0x20c);
  assert.equal(showVersionBasis(params), 'protocol 2.12 by its version word, without "HdrS"');
  assert.equal(params.commandLine, 0x20000n);
  assert.deepEqual(params.ramdisk, { address: 0xbf8d0000n, size: 0x730000n });
  assert.deepEqual(params.e820.map(({ addr, type }) => [addr, type]), [
    [0n, 1],
    [0x9fc00n, 2],
    [0x100000n, 1],
  ]);
  assert.deepEqual(params.leftovers, []);
});

Deno.test("a page without version is as new as the newest field that is set", () => {
  const lguest = decodeBootParams(pageOf({ hdr: { cmd_line_ptr: 0x1000, ramdisk_size: 5 } }));
  assert.equal(lguest.versionBasis, "fields in use");
  assert.equal(lguest.header.version, 0x202);
  assert.equal(lguest.commandLine, 0x1000n);
  const old = decodeBootParams(pageOf({ hdr: { root_dev: 0x301 } }));
  assert.equal(old.versionBasis, "none");
  assert.equal(old.fields.hdr.root_dev, 0x301);
  assert.equal(old.fields.hdr.cmd_line_ptr, undefined);
});

Deno.test("a field newer than the page's protocol is a leftover", () => {
  const page = pageOf({ hdr: { header: HDRS, version: 0x206, boot_flag: 0xaa55 } });
  page[0x23c] = 1;
  const { leftovers, fields } = decodeBootParams(page);
  assert.equal(fields.hdr.hardware_subarch, undefined);
  assert.deepEqual(leftovers.map(({ path, at }) => [path, at]), [["hdr.hardware_subarch", 0x23c]]);
});

Deno.test("what lies in padding and beyond the counts is a leftover, not an entry", () => {
  const page = pvhPage();
  page[0x54] = 7;
  page[0x2d0 + 3 * 20] = 9;
  page[0xd00 + 82] = 0x81;
  page[0x290] = 1;
  const { e820, edd, leftovers } = decodeBootParams(page);
  assert.equal(e820.length, 3);
  assert.equal(edd.length, 0);
  assert.deepEqual(leftovers.map(({ path }) => path), [
    "_pad2",
    "edd_mbr_sig_buffer[0]",
    "e820_table[3]",
    "eddbuf[1]",
  ]);
  assert.equal(leftovers[2]?.bytes.length, 20);
});

Deno.test("counts beyond their tables show what the tables hold", () => {
  const page = pageOf({ e820_entries: 255, eddbuf_entries: 255, edd_mbr_sig_buf_entries: 255 });
  const { e820, edd, mbrSignatures, leftovers } = decodeBootParams(page);
  assert.deepEqual([e820.length, edd.length, mbrSignatures.length], [128, 6, 16]);
  assert.deepEqual(leftovers, []);
});

Deno.test("addresses above 4 GiB are put together from both halves", () => {
  const page = pageOf({
    ext_ramdisk_image: 1,
    ext_ramdisk_size: 2,
    ext_cmd_line_ptr: 3,
    hdr: { header: HDRS, version: 0x20f, ramdisk_image: 16, ramdisk_size: 32, cmd_line_ptr: 48 },
  });
  const { ramdisk, commandLine } = decodeBootParams(page);
  assert.deepEqual([ramdisk.address, ramdisk.size, commandLine], [
    0x1_0000_0010n,
    0x2_0000_0020n,
    0x3_0000_0030n,
  ]);
});

Deno.test("a short page is refused with what it needs", () => {
  for (const length of [0, 1, 0x1f1, 0x206, 4095]) {
    assert.throws(
      () => decodeBootParams(new Uint8Array(length)),
      (error) =>
        error instanceof FormatError &&
        error.message ===
          `boot_params at 0x0: needs 4096 bytes, the input ends at 0x${length.toString(16)}`,
    );
  }
});

Deno.test("whatever 4096 bytes hold, they decode, and encoding gives them back", () => {
  fc.assert(
    fc.property(fc.noShrink(fc.uint8Array({ minLength: 4096, maxLength: 4096 })), (page) => {
      const params = decodeBootParams(page);
      assert.ok(params.e820.length <= 128);
      const copy = encode(bootParams, decode(bootParams, page), new Uint8Array(4096));
      assert.deepEqual(copy, page);
    }),
    { seed: 0x5a5aaa55, numRuns: 60 },
  );
});

Deno.test("the BIOS's paths to a drive are read by the letters beside them", () => {
  const drive = new Uint8Array(82);
  encode(eddInfo, {
    device: 0x80,
    version: 0x30,
    params: {
      key: 0xbedd,
      host_bus_type: text("PCI "),
      interface_type: text("SATA    "),
      interface_path: Uint8Array.of(0, 31, 2, 0xff),
      device_path: Uint8Array.of(1),
    },
  }, drive);
  const { params } = decode(eddInfo, drive);
  assert.equal(showEddPaths(params), "PCI bus 0 slot 31 function 2 channel 255, SATA device slave");
  assert.equal(
    showEddPaths({ ...params, interface_type: text("toString") }),
    "PCI bus 0 slot 31 function 2 channel 255, toString (no such view)",
  );
  assert.equal(showEddPaths({ ...params, key: 0 }), "no path told");
});

Deno.test("a page whose sentinel is zero is left as it is", () => {
  const page = pvhPage();
  page[0x70] = 1;
  assert.deepEqual(sanitize(page), { page, cleared: [] });
});

Deno.test("a set sentinel costs the page what the kernel does not keep", () => {
  const full = new Uint8Array(4096).fill(0xff);
  const { page, cleared } = sanitize(full);
  assert.deepEqual(cleared, [
    "_pad2",
    "acpi_rsdp_addr",
    "_pad3",
    "ext_ramdisk_image",
    "ext_ramdisk_size",
    "ext_cmd_line_ptr",
    "_pad4",
    "edid_info.dummy",
    "kbd_status",
    "_pad5",
    "sentinel",
    "_pad6",
    "_pad7",
    "_pad8",
    "_pad9",
  ]);
  assert.equal(page[0x1ef], 0);
  assert.equal(page[0x1f1], 0xff);
  assert.equal(full[0x1ef], 0xff, "the page given is not touched");
  assert.deepEqual(sanitize(page).cleared, []);
});

Deno.test("values and bits of the zero page have words", () => {
  const said = (path: string, value: unknown): string | undefined =>
    meaning(
      [...walk(bootParams)].find((leaf) => leaf.path === path)?.row ?? assert.fail(path),
      value,
    );
  assert.equal(said("efi_info.efi_loader_signature", 0x34364c45), '"EL64"');
  assert.equal(said("e820_table[0].type", 12), "PRAM");
  assert.equal(said("e820_table[0].type", 6), "unassigned");
  assert.equal(said("secure_boot", 3), "enabled");
  assert.equal(said("kbd_status", 0x22), "left Shift NumLock");
  assert.equal(said("screen_info.orig_video_isVGA", 0x70), "VIDEO_TYPE_EFI (EFI frame buffer)");
  assert.equal(said("screen_info.capabilities", 2), "VIDEO_CAPABILITY_64BIT_BASE");
  assert.equal(said("edid_info.dummy", new Uint8Array(128).fill(0x13)), "asked for in vain");
  const edid = new Uint8Array(128);
  edid.set([0, 255, 255, 255, 255, 255, 255, 0, 0x10, 0xac, 0x34, 0x12]);
  edid[127] = -edid.reduce((sum, byte) => sum + byte, 0) & 0xff;
  assert.equal(said("edid_info.dummy", edid), "DEL product 0x1234");
});
