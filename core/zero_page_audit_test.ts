import assert from "node:assert/strict";
import fc from "fast-check";
import { bootParams } from "../formats/boot_params.ts";
import { encode, type Writable } from "../formats/layout.ts";
import { encodeSetupData } from "../formats/setup_data.ts";
import { decodeSetupHeader } from "../formats/setup_header.ts";
import { bzImage } from "../testdata/bzimage_builder.ts";
import { pvhPage } from "../testdata/zero_pages.ts";
import { type LoaderName, loaderNames } from "./loaders/mod.ts";
import { buildZeroPage } from "./zero_page.ts";
import { auditContextOf, auditRules, auditZeroPage } from "./zero_page_audit.ts";

const imageOf = (protocol: number, edit?: (image: Uint8Array) => void) => {
  const bytes = bzImage({
    protocol,
    payload: new Uint8Array(5000).fill(0x5a),
    ...(edit && { edit }),
  });
  return { bytes, header: decodeSetupHeader(bytes) };
};
const modern = imageOf(0x20f);
const options = { image: modern, memory: 512 << 20, commandLine: "ro", initrd: { size: 4096 } };

Deno.test("each loader's page breaks just the rules it is known to break", () => {
  const image = imageOf(0x20f, (bytes) => {
    // Setup code that is not all of one kind, as setup code is.
    for (let i = 0x26c; i < 0xa00; i++) if (bytes[i] === 0) bytes[i] = i * 37 & 0xff;
  });
  const broken = Object.fromEntries(loaderNames.map((loader): [LoaderName, string[]] => {
    const zeroPage = buildZeroPage({ ...options, image, loader });
    const found = auditZeroPage(zeroPage.page, image, auditContextOf(zeroPage));
    return [loader, [...new Set(found.map(({ rule, severity }) => `${rule} ${severity}`))]];
  }));
  assert.deepEqual(broken, {
    zeropage: [],
    kexec: ["L04 warning"],
    qemu: [],
    grub: ["L04 warning"],
    lguest: ["L19 warning"],
    elilo: ["L01 error", "L02 error", "L04 warning"],
    gujin: ["L05 warning"],
    loadlin: ["L23 warning"],
    firecracker: ["L04 error", "L19 warning"],
  });
});

/** What breaks each rule, and what is then said; everything else stays right. */
const cases: readonly {
  rule: string;
  protocol?: number;
  change: Writable<typeof bootParams> | ((page: Uint8Array) => void);
  says: RegExp;
}[] = [
  { rule: "L01", change: { sentinel: 0xff }, says: /^sentinel: needs 0, found 0xff/ },
  {
    rule: "L01",
    change: (page) => page.set(modern.bytes.subarray(0x290, 0x2b0), 0x290),
    says: /^16 bytes of the image's own code stand at 0x290 of the page$/,
  },
  {
    rule: "L02",
    protocol: 0x206,
    change: (page) => page.fill(1, 0x54, 0x55),
    says: /^boot_params\._pad2: padding is set$/,
  },
  {
    rule: "L03",
    change: (page) => page.fill(1, 0x280, 0x281),
    says: /^bytes behind .* from 0x280 on$/,
  },
  {
    rule: "L04",
    change: { hdr: { pref_address: 0x200_0000n } },
    says:
      /^setup_header\.pref_address: the image says 0x0000000001000000, the page 0x0000000002000000$/,
  },
  {
    rule: "L04",
    change: { hdr: { loadflags: 0 } },
    says: /^setup_header\.loadflags: LOADED_HIGH is the image's, 0x01 became 0x00$/,
  },
  {
    rule: "L05",
    change: { hdr: { cmd_line_ptr: 0x1_0800 } },
    says: /^setup_header\.cmd_line_ptr: 0x10800 is within the zero page$/,
  },
  {
    rule: "L06",
    change: { hdr: { cmd_line_ptr: 0x5_0000 } },
    says: /^setup_header\.cmd_line_ptr: no NUL in 2047 bytes from 0x50000$/,
  },
  {
    rule: "L13",
    change: { hdr: { ramdisk_image: 0x180_0000 } },
    says: /^the initrd at 0x1800000 lies in \[0x1000000, 0x2000000\), which the kernel needs$/,
  },
  {
    rule: "L14",
    protocol: 0x20a,
    change: { hdr: { ramdisk_image: 0x7fff_f000, ramdisk_size: 0x2000 } },
    says: /^setup_header\.ramdisk_image: the initrd ends at 0x80000fff, needs 0x7fffffff or below$/,
  },
  {
    rule: "L16",
    change: { hdr: { loadflags: 0x41 } },
    says: /^setup_header\.loadflags: KEEP_SEGMENTS with platform type 0, a pc$/,
  },
  {
    rule: "L17",
    change: { hdr: { type_of_loader: 0 } },
    says: /^setup_header\.type_of_loader: 0, the kernel will ignore an initrd$/,
  },
  {
    rule: "L17",
    change: { hdr: { type_of_loader: 0x61 } },
    says: /^setup_header\.type_of_loader: 0x61 is not assigned$/,
  },
  {
    rule: "L18",
    change: { hdr: { loadflags: 0x81, heap_end_ptr: 0xff00 } },
    says: /^setup_header\.heap_end_ptr: a heap that ends at 0x10100 of the segment$/,
  },
  {
    rule: "L19",
    change: { e820_table: [{ addr: 0n, size: 0x10_0000n, type: 1 }] },
    says: /^boot_params\.e820_table\[1\]: overlaps e820_table\[0\]$/,
  },
  {
    rule: "L19",
    change: { e820_entries: 3 },
    says: /^boot_params\.e820_table: \[0x1000000, 0x2000000\) for the kernel is not RAM$/,
  },
  {
    rule: "L19",
    change: { e820_entries: 0 },
    says: /^boot_params\.e820_entries: 0, no memory map$/,
  },
  {
    rule: "L19",
    change: { e820_entries: 200 },
    says: /^boot_params\.e820_entries: 200, the table has 128$/,
  },
  {
    rule: "L20",
    change: { hdr: { setup_data: 0x7_0000n } },
    says: /^setup_data node 0 at 0x70000: no memory there$/,
  },
  { rule: "L21", change: { hdr: { version: 0x820e } }, says: /0x820e is of the withdrawn 2\.14$/ },
  {
    rule: "L23",
    change: { hdr: { code32_start: 0x9_a800 } },
    says: /^setup_header\.code32_start: 0x100000 became 0x9a800: a hook, or wrong$/,
  },
];

for (const { rule, protocol = 0x20f, change, says } of cases) {
  Deno.test(`${rule} is broken by ${JSON.stringify(says.source).slice(0, 70)}`, () => {
    const image = protocol === 0x20f ? modern : imageOf(protocol);
    const zeroPage = buildZeroPage({ ...options, image });
    const context = auditContextOf(zeroPage);
    const before = auditZeroPage(zeroPage.page, image, context);
    assert.deepEqual(before, [], "the page was right before");
    if (typeof change === "function") change(zeroPage.page);
    else encode(bootParams, change, zeroPage.page);
    const found = auditZeroPage(zeroPage.page, image, context).filter((one) => one.rule === rule);
    assert.ok(found.some(({ message }) => says.test(message)), JSON.stringify(found));
  });
}

Deno.test("fields newer than the image's protocol break L02 and L15", () => {
  const image = imageOf(0x206);
  const { page } = buildZeroPage({ ...options, image });
  encode(bootParams, { ext_cmd_line_ptr: 1 }, page);
  page[0x23c] = 2;
  page[0x250] = 1;
  const rules = auditZeroPage(page, image).map(({ rule, offset }) =>
    `${rule} ${offset.toString(16)}`
  );
  assert.deepEqual(rules, ["L03 23c", "L15 23c", "L15 250", "L15 c8"]);
});

Deno.test("a field the header's length takes in but its version has not breaks L02", () => {
  const image = imageOf(0x206, (bytes) => bytes[0x201] = 0x6a);
  const { page } = buildZeroPage({ ...options, image });
  page[0x23c] = 2;
  const messages = auditZeroPage(page, image).filter(({ rule }) => rule === "L02");
  assert.deepEqual(messages.map(({ message }) => message), [
    "setup_header.hardware_subarch: came with 2.07, the image speaks 2.06, and it is set",
  ]);
});

Deno.test("a list of setup_data with an unknown type breaks L20", () => {
  const zeroPage = buildZeroPage({
    ...options,
    setupData: [{ type: 0x77, data: new Uint8Array(4) }],
  });
  const found = auditZeroPage(zeroPage.page, modern, auditContextOf(zeroPage));
  assert.deepEqual(found.map(({ rule, message }) => `${rule} ${message}`), [
    "L20 setup_data node at 0x20010: type unassigned (0x77)",
  ]);
  assert.ok(encodeSetupData({ type: 0x77, data: new Uint8Array(4) }).length === 20);
});

Deno.test("a page without image is judged by what it says itself", () => {
  assert.deepEqual(auditZeroPage(pvhPage()).map(({ rule }) => rule), []);
});

Deno.test("whatever a page holds, judging it ends and throws nothing", () => {
  fc.assert(
    fc.property(
      fc.noShrink(fc.uint8Array({ minLength: 4096, maxLength: 4096 })),
      fc.boolean(),
      (page, withHeader) => {
        if (withHeader) page.set(modern.bytes.subarray(0x1f1, 0x26c), 0x1f1);
        for (const { rule, offset } of auditZeroPage(page, withHeader ? modern : undefined)) {
          assert.ok(rule in auditRules);
          assert.ok(offset >= 0 && offset < 4096);
        }
      },
    ),
    { seed: 0xa0d17, numRuns: 60 },
  );
});

Deno.test("every rule says itself in one sentence", () => {
  for (const [id, { says }] of Object.entries(auditRules)) {
    assert.match(id, /^L\d\d$/);
    assert.match(says, /^[A-Z_a-z].*\.$/);
  }
  const tested = new Set(cases.map(({ rule }) => rule));
  for (const id of Object.keys(auditRules)) assert.ok(tested.has(id) || id === "L15", id);
});
