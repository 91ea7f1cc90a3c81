import assert from "node:assert/strict";
import fc from "fast-check";
import { bzImage } from "../testdata/bzimage_builder.ts";
import { FormatError } from "./errors.ts";
import { encode, flaws, meaning } from "./layout.ts";
import {
  decodeSetupHeader,
  headerOf,
  loadflags,
  nominalHeaderEnd,
  setupHeader,
  setupHeaderTable,
  showProtocol,
  syssizeBefore204,
  xloadflags,
} from "./setup_header.ts";

/** Version, end, and the fields it added, from the table in boot.rst. */
const protocols: readonly (readonly [version: number, end: number, added: readonly string[]])[] = [
  [0x200, 0x224, [
    "jump",
    "header",
    "version",
    "realmode_swtch",
    "start_sys_seg",
    "kernel_version",
    "type_of_loader",
    "loadflags",
    "setup_move_size",
    "code32_start",
    "ramdisk_image",
    "ramdisk_size",
    "bootsect_kludge",
  ]],
  [0x201, 0x226, ["heap_end_ptr"]],
  [0x202, 0x22c, ["cmd_line_ptr"]],
  [0x203, 0x230, ["initrd_addr_max"]],
  [0x204, 0x230, []],
  [0x205, 0x235, ["kernel_alignment", "relocatable_kernel"]],
  [0x206, 0x23c, ["cmdline_size"]],
  [0x207, 0x248, ["hardware_subarch", "hardware_subarch_data"]],
  [0x208, 0x250, ["payload_offset", "payload_length"]],
  [0x209, 0x258, ["setup_data"]],
  [0x20a, 0x264, [
    "ext_loader_ver",
    "ext_loader_type",
    "min_alignment",
    "pref_address",
    "init_size",
  ]],
  [0x20b, 0x268, ["handover_offset"]],
  [0x20c, 0x268, ["xloadflags"]],
  [0x20d, 0x268, []],
  [0x20f, 0x26c, ["kernel_info_offset"]],
];

const always = [
  "setup_sects",
  "root_flags",
  "syssize",
  "ram_size",
  "vid_mode",
  "root_dev",
  "boot_flag",
];

Deno.test("each protocol version has the fields of its documentation, and no other", () => {
  let known = always;
  for (const [version, end, added] of protocols) {
    known = [...known, ...added];
    const found = decodeSetupHeader(bzImage({ protocol: version }));
    const names = Object.keys(found.fields).filter((name) => name !== "swap_dev");
    assert.deepEqual(names.sort(), known.slice().sort(), showProtocol(version));
    assert.equal(found.nominalEnd, end);
    assert.equal(nominalHeaderEnd(version), end);
  }
});

Deno.test("the table covers 0x1f1 to 0x26c with neither hole nor overlap", () => {
  assert.deepEqual([...flaws(setupHeader)], []);
  assert.deepEqual([...flaws(syssizeBefore204)], []);
});

Deno.test('without "HdrS" there are the words of the boot sector alone', () => {
  const image = bzImage({ protocol: 0 });
  const { fields, version } = decodeSetupHeader(image);
  assert.equal(version, 0);
  assert.deepEqual(Object.keys(fields).sort(), [...always, "swap_dev"].sort());
});

Deno.test("before 2.04 syssize has 16 bits, and the rest is the swap device", () => {
  const image = bzImage({ protocol: 0x203 });
  image.set([0x34, 0x12, 0x78, 0x56], 0x1f4);
  const old = decodeSetupHeader(image).fields;
  assert.deepEqual([old.syssize, old.swap_dev], [0x1234, 0x5678]);
  image.set([0x04, 0x02], 0x206);
  const { syssize, swap_dev } = decodeSetupHeader(image).fields;
  assert.deepEqual([syssize, swap_dev], [0x56781234, undefined]);
});

Deno.test("the table of a version before 2.04 has the words that stood there, in order", () => {
  const names = Object.keys(setupHeaderTable(0x203).fields);
  assert.deepEqual(names.slice(0, 5), [
    "setup_sects",
    "root_flags",
    "syssize",
    "swap_dev",
    "ram_size",
  ]);
  assert.deepEqual([...flaws(setupHeaderTable(0x203))], []);
  assert.equal(setupHeaderTable(0x204), setupHeader);
});

Deno.test("the byte at 0x201 says where the header ends, and fields past it are absent", () => {
  const image = bzImage({});
  image[0x201] = 0x4e; // 0x250
  const { end, fields } = decodeSetupHeader(image);
  assert.equal(end, 0x250);
  assert.equal(fields.payload_length !== undefined, true);
  assert.equal("setup_data" in fields, false);
});

Deno.test("a jump that is none leaves the version's own end", () => {
  const image = bzImage({ protocol: 0x206 });
  image[0x200] = 0xe9;
  assert.equal(decodeSetupHeader(image).end, 0x23c);
});

Deno.test("bit 15, set by loaders of the burnt 2.14, hides no field", () => {
  const image = bzImage({ protocol: 0x20d });
  image.set([0x0e, 0x82], 0x206);
  const { version, fields } = decodeSetupHeader(image);
  assert.equal(version, 0x820e);
  assert.equal(fields.xloadflags !== undefined, true);
});

Deno.test("a header cut short throws where it ends, and nowhere else", () => {
  const image = bzImage({}).subarray(0, 0x26c);
  decodeSetupHeader(image);
  for (let length = 0; length < 0x26c; length++) {
    const cut = image.subarray(0, length);
    try {
      decodeSetupHeader(cut);
      // Up to the letters "HdrS" it is a boot sector of the old kind.
      assert.ok(length >= 0x200 && length < 0x206, `length ${length}`);
    } catch (error) {
      assert.ok(error instanceof FormatError);
      assert.ok(error.place.offset <= Math.max(length, 0x1f1), `${error.message} in ${length}`);
    }
  }
});

Deno.test("whatever is encoded as a 2.15 header decodes to itself", () => {
  const values = fc.record({
    setup_sects: fc.integer({ min: 0, max: 64 }),
    syssize: fc.integer({ min: 0, max: 0xffff_ffff }),
    loadflags: fc.integer({ min: 0, max: 0xff }),
    hardware_subarch: fc.integer({ min: 0, max: 0xffff_ffff }),
    hardware_subarch_data: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    setup_data: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  });
  fc.assert(
    fc.property(values, (record) => {
      const page = encode(setupHeader, record, new Uint8Array(4096), 0x1f1);
      const { fields } = headerOf(page, 0x20f, 0x26c);
      for (const [name, value] of Object.entries(record)) {
        assert.equal((fields as Record<string, unknown>)[name], value, name);
      }
    }),
    { seed: 3 },
  );
});

Deno.test("values and bits are told by the kernel's names", () => {
  const words = (name: keyof typeof setupHeader.fields, value: number | bigint) =>
    meaning(setupHeader.fields[name], value);
  assert.equal(words("setup_sects", 0), "4 × 512 bytes, as 0 stands for 4");
  assert.equal(words("hardware_subarch", 1), "lguest");
  assert.equal(words("hardware_subarch", 5), "unassigned");
  assert.equal(
    words("loadflags", 0xe3),
    "LOADED_HIGH KASLR_FLAG QUIET_FLAG KEEP_SEGMENTS CAN_USE_HEAP",
  );
  assert.equal(words("xloadflags", 0x41), "XLF_KERNEL_64 XLF_5LEVEL_ENABLED");
  assert.equal(words("xloadflags", 0x100), "bit 8");
  assert.equal(words("type_of_loader", 0xb0), "QEMU, version 0");
  assert.equal(words("type_of_loader", 0x60), "unassigned, version 0");
  assert.equal(words("vid_mode", 0xffff), "normal (80x25)");
  assert.equal(words("vid_mode", 0x0317), "VESA mode 0x117");
  assert.equal(words("vid_mode", 0x8103), "BIOS mode 0x3, scan lines recalculated");
  assert.equal(words("vid_mode", 0x3250), "80 columns, 50 rows");
  assert.equal(words("root_dev", 0x0301), "hda1 (3:1)");
  assert.equal(words("root_dev", 0x0341), "hdb1 (3:65)");
  assert.equal(words("root_dev", 0x1601), "hdc1 (22:1)");
  assert.equal(words("root_dev", 0x0812), "sdb2 (8:18)");
  assert.equal(words("root_dev", 0x0200), "fd0 (2:0)");
  assert.equal(words("root_dev", 0), "none, left to the command line");
  assert.equal(showProtocol(0x20a), "2.10");
  assert.equal(Object.keys(loadflags).length + Object.keys(xloadflags).length, 13);
});
