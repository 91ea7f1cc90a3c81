import assert from "node:assert/strict";
import { bootParamsBtf } from "../testdata/boot_params_layout.ts";
import { bootParams } from "./boot_params.ts";
import { historyData } from "./boot_params_history.ts";
import {
  diffLayouts,
  fieldHistory,
  type HistoricField,
  historyRange,
  layoutOf,
  protocolOf,
  ReleaseError,
} from "./history.ts";
import { walk } from "./layout.ts";
import { compareReleases, parseRelease } from "./linux_release.ts";

const release = (text: string) => parseRelease(text) ?? assert.fail(text);
const inPage = (fields: readonly HistoricField[]): HistoricField[] =>
  fields.filter(({ struct, at }) =>
    at !== undefined && !["boot_e820_entry", "edd_info", "edd_device_params"].includes(struct)
  );

Deno.test("releases are in the order in which they came out", () => {
  const order = [
    "0.10",
    "0.12",
    "0.95",
    "0.98.6",
    "0.99pl7",
    "0.99.8",
    "1.1.43",
    "1.3.73",
    "2.2.20pre4",
    "2.2.20",
    "2.4.0-test3-pre2",
    "2.4.0-test3-pre3",
    "2.4.0-test3",
    "2.4.0-test12",
    "2.4.0-prerelease",
    "2.4.0",
    "2.4.18-pre1",
    "2.4.18-rc1",
    "2.4.18",
    "2.6.9",
    "2.6.24",
    "4.9-rc5",
    "4.9",
    "4.20",
    "5.10",
    "5.10.223",
    "6.1.0-56-amd64",
    "6.12",
  ];
  for (let i = 1; i < order.length; i++) {
    const [a, b] = [release(order[i - 1] ?? ""), release(order[i] ?? "")];
    // 2.4.18-rc1 came after 2.4.18-pre9, but no release has both rc and pre of a number.
    if (a.text === "2.4.18-pre1" && b.text === "2.4.18-rc1") continue;
    assert.ok(compareReleases(a, b) < 0, `${a.text} before ${b.text}`);
    assert.ok(compareReleases(b, a) > 0, `${b.text} after ${a.text}`);
  }
  assert.equal(compareReleases(release("6.1"), release("v6.1.0-56-amd64")), 0);
});

Deno.test("what is no release is refused with the range that is known", () => {
  const range = `known are ${historyRange.from} to ${historyRange.to}`;
  const cases = {
    "": "is no Linux release number",
    "linux": "is no Linux release number",
    "6": "is no Linux release number",
    "6.x": "is no Linux release number",
    "6.1abc": "is no Linux release number",
    "99999999999.1": "is no Linux release number",
    "0.01": "is older than the history",
    "7.4": "is newer than the history",
    "8.0-rc1": "is newer than the history",
  };
  for (const [text, problem] of Object.entries(cases)) {
    assert.throws(
      () => layoutOf(text),
      (error) =>
        error instanceof ReleaseError && error instanceof RangeError &&
        error.message === `release ${JSON.stringify(text)} ${problem}; ${range}`,
      text,
    );
  }
  assert.doesNotThrow(() => layoutOf("7.3.4"));
  assert.doesNotThrow(() => layoutOf("0.10"));
});

Deno.test("each release speaks its protocol", () => {
  const spoken = {
    "0.12": "old",
    "1.3.72": "old",
    "1.3.73": "2.00",
    "1.3.76": "2.01",
    "2.0.40": "2.01",
    "2.2.19": "2.01",
    "2.2.20pre3": "2.01",
    "2.2.20": "2.02",
    "2.2.26": "2.02",
    "2.4.0-test3-pre2": "2.01",
    "2.4.0-test3-pre3": "2.02",
    "2.4.17": "2.02",
    "2.4.18-pre1": "2.03",
    "2.6.13": "2.03",
    "2.6.14": "2.04",
    "2.6.24": "2.07",
    "2.6.24-rc1": "2.07",
    "2.6.26": "2.09",
    "2.6.37.2": "2.10",
    "3.8": "2.12",
    "4.19": "2.13",
    "4.20": "2.13",
    "5.4": "2.13",
    "5.5": "2.15",
    "7.3": "2.15",
  };
  for (const [text, version] of Object.entries(spoken)) {
    assert.equal(protocolOf(text).version, version, text);
  }
  const burnt = protocolOf("4.20-rc1");
  assert.deepEqual([burnt.version, burnt.burnt, burnt.treatAs], ["2.14", true, "2.13"]);
});

Deno.test("the history of 6.1 is the layout in the BTF of Linux 6.1", () => {
  const page = inPage(layoutOf("6.1.192").fields).filter(({ type }) => !type.startsWith("struct"));
  const ours = page.map(({ struct, field, at, size }) => {
    const path = struct === "setup_header" ? `hdr.${field}` : `${struct}.${field}`;
    return `${path.replace("boot_params.", "")} ${at} ${size}`;
  });
  const lines = bootParamsBtf.trim().split("\n")
    .filter((line) => !/^(e820_table|eddbuf)\[/.test(line));
  assert.deepEqual(ours.sort(), lines.sort());
});

Deno.test("the newest layout is that of our table", () => {
  const table = new Map([...walk(bootParams)].map(({ path, at, size }) => [path, { at, size }]));
  for (const { struct, field, at, size, type } of inPage(layoutOf(historyRange.to).fields)) {
    if (type.startsWith("struct")) continue;
    const prefix = struct === "boot_params"
      ? ""
      : struct === "setup_header"
      ? "hdr."
      : `${struct}.`;
    assert.deepEqual(table.get(prefix + field), { at, size }, `${struct}.${field}`);
  }
});

Deno.test("the layouts that were compared with headers account for every byte", () => {
  for (
    const text of [
      "2.6.24",
      "2.6.32",
      "3.2",
      "3.6",
      "3.11",
      "4.1",
      "4.9",
      "4.14",
      "5.3",
      "5.10",
      "5.16",
      "6.1",
      "6.12",
      "7.3",
    ]
  ) {
    const { fields } = layoutOf(text);
    const covered = new Uint8Array(4096);
    for (const { struct, at = 0, size = 0 } of inPage(fields)) {
      if (struct !== "boot_params" && struct !== "setup_header") continue;
      for (let i = at; i < at + size; i++) covered[i] = (covered[i] ?? 0) + 1;
    }
    // The header is met twice, as hdr and by its fields.
    const wrong = [...covered.entries()]
      .filter(([i, times]) =>
        times !==
          (i >= 0x1f1 && i < (fields.find(({ field }) => field === "hdr")?.size ?? 0) + 0x1f1
            ? 2
            : 1)
      );
    assert.deepEqual(wrong.map(([i]) => i.toString(16)), [], text);
  }
});

Deno.test("fields have the names and sizes of their release", () => {
  const at = (text: string, offset: number): string[] =>
    inPage(layoutOf(text).fields)
      .filter((field) => field.at === offset && !field.type.startsWith("struct s"))
      .map(({ path, type }) => `${path}: ${type}`);
  assert.deepEqual(at("2.6.24", 0x2d0), ["boot_params.e820_map: struct e820entry[128]"]);
  assert.deepEqual(at("4.12", 0x2d0), ["boot_params.e820_table: struct boot_e820_entry[128]"]);
  assert.deepEqual(at("2.6.37", 8), ["screen_info.unused2: u16"]);
  assert.deepEqual(at("2.6.38", 8), ["screen_info.flags: u8"]);
  assert.deepEqual(at("2.4.17", 0x1f4), ["setup_header.syssize: u16"]);
  assert.deepEqual(at("2.6.14", 0x1f4), ["setup_header.syssize: u32"]);
  assert.deepEqual(at("4.20-rc1", 0x268), ["setup_header.acpi_rsdp_addr: u64"]);
  assert.deepEqual(at("4.20", 0x268), ["boot_params._pad7: u8[40]"]);
  assert.deepEqual(at("2.2.20", 0x228), ["setup_header.cmd_line_ptr: u32"]);
  assert.deepEqual(at("2.2.19", 0x228), []);
  assert.deepEqual(at("4.9", 0x20c), ["setup_header.start_sys: u16"]);
});

Deno.test("what is only recalled is said to be uncertain until a source was read", () => {
  const certain = (text: string, path: string): boolean | undefined =>
    layoutOf(text).fields.find((field) => field.path === path)?.isCertain;
  assert.equal(certain("2.6.36", "olpc_ofw_header.ofw_magic"), false);
  assert.equal(certain("3.2", "olpc_ofw_header.ofw_magic"), true);
  assert.equal(certain("2.6.24", "setup_header.hardware_subarch"), true);
  assert.equal(certain("1.2", "screen_info.orig_x"), false);
  assert.equal(certain("2.6.24", "edd_info.device"), false);
});

Deno.test("a field's history is found by its name, an older name, or its place in the page", () => {
  const spans = (path: string): string[] =>
    fieldHistory(path).map(({ since, until = "now" }) => `${since}..${until}`);
  assert.deepEqual(spans("setup_header.syssize"), ["0.99.7..2.6.13", "2.6.14..now"]);
  assert.deepEqual(spans("hdr.syssize"), spans("setup_header.syssize"));
  assert.deepEqual(spans("boot_params.hdr.syssize"), spans("setup_header.syssize"));
  assert.deepEqual(spans("boot_params.eddbuf"), ["2.6.0..2.6.12", "2.6.13..now"]);
  assert.deepEqual(spans("e820_map"), ["2.4..2.6.12", "2.6.13..now"]);
  assert.deepEqual(spans("jailhouse_setup_data.v2.flags"), ["5.5..now"]);
  assert.deepEqual(spans("boot_params.screen_info.ext_lfb_base"), ["4.2..now"]);
  assert.deepEqual(spans("no_such_field"), []);
});

Deno.test("two layouts differ by meaning", () => {
  const texts = (a: string, b: string): string[] =>
    diffLayouts(layoutOf(a), layoutOf(b)).map(({ kind, text }) => `${kind}: ${text}`);
  assert.deepEqual(texts("3.6", "3.8"), [
    "protocol: protocol 2.11 → 2.12: added 2.12 xloadflags, boot_params.ext_ramdisk_image, " +
    "boot_params.ext_ramdisk_size, boot_params.ext_cmd_line_ptr, XLF_KERNEL_64, " +
    "XLF_CAN_BE_LOADED_ABOVE_4G, XLF_EFI_HANDOVER_32, XLF_EFI_HANDOVER_64",
    ...["ext_ramdisk_image at 0xc0", "ext_ramdisk_size at 0xc4", "ext_cmd_line_ptr at 0xc8"]
      .map((field) =>
        `padding became a field: boot_params.${field}, 4 bytes was padding (_pad4), since 3.8`
      ),
    "padding became a field: boot_params.sentinel at 0x1ef, 1 byte was padding (_pad6), since 3.8",
    "padding became a field: setup_header.xloadflags at 0x236, 2 bytes was padding (_pad2), " +
    "since 3.8",
    "name added: xloadflags: bit 0 is XLF_KERNEL_64, since 3.8",
    "name added: xloadflags: bit 1 is XLF_CAN_BE_LOADED_ABOVE_4G, since 3.8",
    "name added: xloadflags: bit 2 is XLF_EFI_HANDOVER_32, since 3.8",
    "name added: xloadflags: bit 3 is XLF_EFI_HANDOVER_64, since 3.8",
    "name added: setup_data_type: value 0x3 is SETUP_PCI, since 3.8",
  ]);
  assert.deepEqual(texts("4.10", "4.14"), [
    "padding became a field: boot_params.secure_boot at 0x1ec, 1 byte was padding (_pad5), " +
    "since 4.11",
    "renamed: boot_params.e820_map at 0x2d0, 2560 bytes is now e820_table",
    "renamed: setup_header.start_sys at 0x20c, 2 bytes is now start_sys_seg",
  ]);
  assert.deepEqual(texts("6.12", "6.16"), [
    "added: struct kho_data added, since 6.16: fdt_addr, fdt_size, scratch_addr, scratch_size",
    "name added: setup_data_type: value 0xa is SETUP_KEXEC_KHO, since 6.16",
  ]);
  assert.deepEqual(texts("3.13", "3.14").filter((text) => text.startsWith("name changed")), [
    "name changed: hardware_subarch: value 0x3 was X86_SUBARCH_MRST, is X86_SUBARCH_INTEL_MID",
  ]);
  assert.deepEqual(texts("6.12", "6.12.107"), []);
});

Deno.test("moved, resized and withdrawn fields are told as such", () => {
  const kinds = new Map(
    diffLayouts(layoutOf("2.6.12"), layoutOf("2.6.24")).map((c) => [c.path, c.text]),
  );
  assert.equal(
    kinds.get("boot_params.eddbuf"),
    "boot_params.eddbuf moved from 0x600, 492 bytes to 0xd00, 492 bytes",
  );
  assert.equal(
    kinds.get("setup_header.syssize"),
    "setup_header.syssize at 0x1f4, 4 bytes: from 2 to 4 bytes",
  );
  assert.equal(
    kinds.get("boot_params.swap_dev"),
    "boot_params.swap_dev at 0x1f6, 2 bytes removed, last in 2.6.13",
  );
  const back = diffLayouts(layoutOf("5.5"), layoutOf("5.4"));
  assert.equal(
    back[0]?.text,
    "protocol 2.15 → 2.13: taken back 2.15 kernel_info_offset, kernel_info, setup_indirect, " +
      "XLF_MEM_ENCRYPTION (6.8)",
  );
  assert.ok(
    back.some(({ kind, path }) =>
      kind === "field became padding" && path === "setup_header.kernel_info_offset"
    ),
  );
});

Deno.test("each change says since when and how sure that is", () => {
  const changes = diffLayouts(layoutOf("2.6.24"), layoutOf("6.12"));
  const of = (path: string) => {
    const { since, sinceBasis } = changes.find((change) => change.path === path) ??
      assert.fail(path);
    return [since, sinceBasis];
  };
  assert.deepEqual(of("boot_params.tboot_addr"), ["2.6.32", "recalled-within-samples"]);
  assert.deepEqual(of("boot_params.ext_cmd_line_ptr"), ["3.8", "documentation"]);
  assert.deepEqual(of("xloadflags.XLF_5LEVEL"), ["5.2", "recalled-within-samples"]);
});

Deno.test("every release and source named in the data can be looked up", () => {
  for (const row of historyData.fields) {
    assert.ok(historyData.samples[row.source], `${row.struct}.${row.field}`);
    assert.ok(parseRelease(row.since), row.since);
    if (row.until !== undefined) assert.ok(parseRelease(row.until), row.until);
    if (row.presentIn !== undefined) assert.ok(parseRelease(row.presentIn), row.presentIn);
  }
  assert.equal(historyData.fields.length, 214);
});
