/**
 * Every real Linux image opened as bootinfo opens it: nothing complained of,
 * every byte on the map, header, banner, size word, types and symbols in
 * agreement with each other.
 */

import assert from "node:assert/strict";
import { judgePlatforms } from "../../core/evidence.ts";
import { imageMap } from "../../core/image_map.ts";
import { inspect, type Inspection } from "../../core/inspection.ts";
import { fieldOf, inspectionJson, type Json } from "../../core/json.ts";
import { bootParams } from "../../formats/boot_params.ts";
import { layoutToFields } from "../../formats/btf/mod.ts";
import { findNote } from "../../formats/elf_notes.ts";
import { walk } from "../../formats/layout.ts";
import { type FetchedImage, forEachImage, readImage, withImages } from "../images/images.ts";

const open = (image: FetchedImage): Promise<Inspection> => inspect(image.path, readImage(image));

/** Major and minor number as one, 6.12 as 612. */
function releaseOf({ boot }: Inspection): number {
  const [major = 0, minor = 0] = (boot?.versionString?.release ?? "").split(".").map(Number);
  return 100 * major + minor;
}

forEachImage("a Linux image opens whole, and agrees with itself", ["linux"], async (image) => {
  const inspection = await open(image);
  const { boot, kernel, complaints, digests } = inspection;
  assert.ok(boot?.versionString && kernel?.elf && kernel.banner);
  assert.equal(inspection.recognition.kind, "bzImage");
  assert.deepEqual(complaints.filter(({ severity }) => severity !== "info"), []);

  // The version string: release, builder and build, as the banner has them around its compiler.
  const [release = "", builder = "", ...build] = boot.versionString.text.split(/ (?=\()|(?<=\)) /);
  assert.equal(kernel.banner.release, release);
  assert.ok(kernel.banner.text.startsWith(`Linux version ${release} ${builder} `));
  assert.ok(kernel.banner.text.endsWith(` ${build.join(" ")}`), kernel.banner.text);

  assert.equal(boot.payload?.sizeWord, kernel.bytes.length);
  assert.equal(boot.payload?.found, "payload_offset");
  // Every stream is read to its last byte.
  assert.equal(kernel.unpacked?.length, boot.payload?.streamLength);

  const isSigned = !image.id.endsWith("-unsigned");
  assert.deepEqual(digests.map(({ status }) => status), isSigned ? ["matches"] : []);
  const hasCrc = releaseOf(inspection) <= 612;
  assert.equal(boot.crc?.status, !hasCrc ? "absent" : isSigned ? "signed" : "ok");
  assert.deepEqual(complaints.map(({ rule }) => rule), hasCrc ? [] : ["checksum-absent"]);

  const lists = kernel.relocations?.lists ?? [];
  assert.ok(lists.reduce((sum, { count }) => sum + count, 0) > 100_000);
  assert.equal(await kernel.config(), undefined, "Debian builds no configuration in");
});

forEachImage("every byte of a Linux image is on the map, once", ["linux"], async (image) => {
  const inspection = await open(image);
  const regions = imageMap(inspection);
  let at = 0;
  for (const { offset, length } of regions) {
    assert.equal(offset, at);
    assert.ok(length > 0);
    at += length;
  }
  assert.equal(at, image.size);
  assert.deepEqual(regions.filter(({ unclaimed }) => unclaimed), []);
  const names = new Set(regions.map(({ name }) => name));
  const needed = ["setup header", "version string", "setup signature", "payload", "kernel_info"];
  for (const name of [...needed, "uncompressed size", "decompressor", "CRC-32"]) {
    assert.ok(names.has(name), name);
  }
  assert.equal(names.has("certificate"), !image.id.endsWith("-unsigned"));
});

forEachImage("the kernel's own types lay boot_params out as our table does", [
  "linux",
], async (image, t) => {
  const inspection = await open(image);
  const layout = (await inspection.kernel?.btf())?.structLayout("boot_params");
  // Debian's i386 kernels carry no types.
  const is64 = inspection.kernel?.elf?.class === 64;
  const name = `BTF of ${image.id}${is64 ? "" : " (skipped: a 32-bit kernel without)"}`;
  await t.step({
    name,
    ignore: !is64,
    fn() {
      assert.ok(layout);
      assert.equal(layout.size, bootParams.size);
      const ours = new Map([...walk(bootParams)].map(({ path, at, size }) => [path, { at, size }]));
      const differ: string[] = [];
      for (const { path, at, size } of layoutToFields(layout)) {
        // Unions by bus and by device: rows of bytes in our table, their own tables in edd.ts.
        if (/\.(interface_path|device_path)\./.test(path)) continue;
        const row = ours.get(path);
        if (row?.at !== at || row.size !== size) differ.push(`${path} ${at} ${size}`);
      }
      // cc_blob_address came in 5.19, out of the end of padding.
      assert.deepEqual(differ, releaseOf(inspection) >= 519 ? [] : ["_pad4 204 116"]);
    },
  });
});

forEachImage("symbols are found, and lie where the kernel is", ["linux"], async (image) => {
  const { kernel } = await open(image);
  const symbols = await kernel?.symbols();
  assert.ok(kernel?.elf?.load && symbols);
  const { start, end } = kernel.elf.load.vaddr;
  const is64 = kernel.elf.class === 64;
  // With CONFIG_KALLSYMS_ALL data is named as well.
  assert.ok(symbols.count > 40_000 && symbols.count < 500_000, `${symbols.count}`);
  for (const name of ["_text", "_stext", is64 ? "startup_64" : "startup_32", "start_kernel"]) {
    const address = symbols.lookup(name);
    assert.ok(address !== undefined && address >= start && address < end, `${name} ${address}`);
    assert.equal(symbols.nearest(address)?.offset, 0n);
  }
  assert.equal(symbols.lookup("_text"), start);
  // A 64-bit kernel enters at startup_64, loaded lower than it is linked.
  const entry = symbols.lookup(is64 ? "startup_64" : "startup_32") ?? 0n;
  assert.equal(entry - start + kernel.elf.load.paddr.start, kernel.elf.entry);
});

forEachImage("platforms start by the entries that header, ELF and notes have", [
  "linux",
], async (image) => {
  const inspection = await open(image);
  const { boot, kernel } = inspection;
  const verdicts = await judgePlatforms(inspection);
  const kinds = (name: string): string[] => {
    const verdict = verdicts.get(name);
    return verdict?.starts ? verdict.entries.map(({ kind }) => kind) : [];
  };
  const is64 = kernel?.elf?.class === 64;
  const common = is64 ? ["32-bit", "64-bit", "16-bit", "direct"] : ["32-bit", "16-bit", "direct"];
  for (const name of ["pc", "intel-mid", "ce4100"]) assert.deepEqual(kinds(name), common, name);
  assert.deepEqual(kinds("lguest"), [], "lguest left before 5.10");
  const pvh = findNote(kernel?.notes ?? [], "Xen", 18)?.value;
  assert.equal(kinds("xen").includes("pvh"), pvh !== undefined);
  assert.equal(pvh === undefined, image.id.endsWith("-686"), "only the plain 686 has no PVH");
  assert.equal(kinds("xen").includes("pv"), is64, "PV guests are 64-bit ones since 5.9");
  const xen = verdicts.get("xen");
  if (pvh !== undefined && xen?.starts) {
    assert.equal(xen.entries[0]?.kind, "pvh");
    assert.equal(xen.entries[0]?.address, BigInt(pvh as number | bigint));
    const span = kernel?.elf?.load?.paddr;
    assert.ok(span && xen.entries[0].address >= span.start && xen.entries[0].address < span.end);
  }
  assert.equal(boot?.header.version, 0x20f);
});

/** The shape of a value: its keys in order, the types of their values. */
function shape(value: Json | undefined): unknown {
  if (value === null || typeof value !== "object") return value === null ? "null" : typeof value;
  if (Array.isArray(value)) return value.length > 0 ? [shape(value[0])] : [];
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shape(item)]));
}

withImages("the JSON of a real image keeps its keys, their order and their types", [
  "linux-6.1-amd64",
], async ([image]) => {
  assert.ok(image);
  const inspection = await open(image);
  const document = inspectionJson(inspection, await judgePlatforms(inspection));
  assert.deepEqual(Object.keys(document), [
    ...["schema", "kind", "path", "size", "title", "fields", "setup_header", "protocol"],
    ...["kernel_release", "kernel_version", "kernel_info", "platforms", "payload", "elf", "notes"],
    ...["crc", "pe", "certificates", "relocations", "map", "complaints"],
  ]);
  assert.equal(document.schema, 1);
  assert.equal(document.protocol, "2.15");
  assert.equal(document.size, image.size);
  const payload = document.payload as Readonly<Record<string, Json>>;
  assert.deepEqual(
    Object.keys(payload).slice(0, 6),
    ["format", "offset", "length", "found", "uncompressed_size", "verified"],
  );
  assert.equal(payload.verified, true);
  assert.deepEqual(shape(fieldOf(document, "elf.phdrs[0]")), {
    type: "string",
    offset: "number",
    // Above 2^53.
    vaddr: "string",
    paddr: "number",
    filesz: "number",
    memsz: "number",
    flags: "number",
    align: "number",
  });
  assert.equal(fieldOf(document, "elf.phdrs[0].vaddr"), "0xffffffff81000000");
  assert.equal(fieldOf(document, "setup_header.header"), 0x53726448);
  assert.equal(fieldOf(document, "platforms.pc.starts"), true);
  assert.equal(typeof fieldOf(document, "platforms.lguest.reason"), "string");
  assert.equal(fieldOf(document, "crc.status"), "signed");
  assert.equal(fieldOf(document, "setup_header.nothing"), undefined);
  assert.equal(fieldOf(document, "elf.phdrs[99]"), undefined);
  assert.deepEqual(shape(fieldOf(document, "map[0]")), {
    ...{ offset: "number", length: "number", name: "string" },
    note: "string",
  });
  assert.deepEqual(document.complaints, []);
  assert.deepEqual(JSON.parse(JSON.stringify(document)), document);
});
