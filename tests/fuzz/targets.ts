/**
 * What is fuzzed: for each format some good inputs, made here or by the format's
 * own tools, and everything that reads it.
 *
 * @module
 */

import { auditZeroPage } from "../../core/zero_page_audit.ts";
import { judgeBootImage } from "../../core/rules.ts";
import { openBootImage } from "../../core/boot_image.ts";
import { shownFields } from "../../core/json.ts";
import { findBanner } from "../../formats/banner.ts";
import { bootParams, decodeBootParams, showVersionBasis } from "../../formats/boot_params.ts";
import { findBtf, layoutToFields, openBtf } from "../../formats/btf/mod.ts";
import { authenticodeRanges, checkDigests, decodeCertificates } from "../../formats/certificate.ts";
import { eddPaths, showEddPaths } from "../../formats/edd.ts";
import {
  decodeElf,
  describeElf,
  fileEnd,
  fileOffset,
  sectionBytes,
  segmentBytes,
} from "../../formats/elf.ts";
import { decodeNotes } from "../../formats/elf_notes.ts";
import { decodeConfig, findIkconfig, readIkconfig } from "../../formats/ikconfig.ts";
import { checkImageCrc } from "../../formats/image_crc.ts";
import { findBootconfig } from "../../formats/initramfs/bootconfig.ts";
import { findBuiltinInitramfs } from "../../formats/initramfs/builtin.ts";
import { contentsOf, decodeCpio, showMember } from "../../formats/initramfs/cpio.ts";
import { encodeCpio } from "../../formats/initramfs/encode_cpio.ts";
import { openInitramfs } from "../../formats/initramfs/initramfs.ts";
import { decodeAmdMicrocode, decodeIntelMicrocode } from "../../formats/initramfs/microcode.ts";
import { findKallsyms } from "../../formats/kallsyms/mod.ts";
import { decodeKernelInfo } from "../../formats/kernel_info.ts";
import { decodeMbr, findGpt, gptFields, mbrFields } from "../../formats/others/disk.ts";
import { decodeFdt, showTree } from "../../formats/others/fdt.ts";
import {
  findMultiboot1,
  findMultiboot2,
  multiboot1Fields,
  multiboot2Fields,
} from "../../formats/others/multiboot.ts";
import { decompress } from "../../formats/payload/decompress.ts";
import { findPayload } from "../../formats/payload/payload.ts";
import { decodePe, peChecksum, peSectionBytes } from "../../formats/pe.ts";
import { recognise, recogniseInside } from "../../formats/recognise.ts";
import { decodeRelocations, relocationAddresses } from "../../formats/relocations.ts";
import { sanitize } from "../../formats/sanitizer.ts";
import { decodeSbat } from "../../formats/sbat.ts";
import { readSetupCode } from "../../formats/setup_code.ts";
import {
  decodeSetupData,
  decodeSetupDataContents,
  encodeSetupData,
  readSetupDataList,
  setupDataOfSysfs,
  setupDataTypes,
  showSetupData,
} from "../../formats/setup_data.ts";
import { decodeSetupHeader, setupHeader } from "../../formats/setup_header.ts";
import { decodeOsRelease, decodeUki } from "../../formats/uki.ts";
import { readVersionString } from "../../formats/version_string.ts";
import { decodeXenGuest } from "../../formats/xen_guest.ts";
import { buildBtf } from "../../testdata/btf_builder.ts";
import { bzImage } from "../../testdata/bzimage_builder.ts";
import { elf, latin1, note, relocationTable, u32, u64 } from "../../testdata/elf_builder.ts";
import {
  bootconfig,
  file,
  gzip,
  joined,
  microcodeArchive,
  smallRoot,
  zeros,
} from "../../testdata/initramfs.ts";
import {
  buildKallsyms,
  type BuiltSymbol,
  type KallsymsShape,
  segmentAddress,
} from "../../testdata/kallsyms_builder.ts";
import { amdContainer, intelUpdate } from "../../testdata/microcode.ts";
import * as other from "../../testdata/other_images.ts";
import { uki, winCertificate } from "../../testdata/pe_builder.ts";
import { specimen, specimenNames } from "../../testdata/specimens.ts";
import { pageOf, pvhPage } from "../../testdata/zero_pages.ts";
import { arm64Image, riscvImage } from "../../formats/others/linux_image.ts";
import type { Random, Sound } from "./mutate.ts";
import { stream, streams, unpackedLength } from "./streams.ts";
import { fairly, fairlySoon, LIMIT } from "./whole.ts";

/** A format under test. */
export interface Target {
  /** How many damaged inputs. */
  readonly count: number;
  /** Of how many one goes through all that bootinfo does; 0: of none. */
  readonly wholeEvery: number;
  /** Good inputs. */
  readonly sounds: () => readonly Sound[];
  /** Everything that reads the format; throws FormatError or nothing. */
  readonly read: (bytes: Uint8Array, random: Random) => void | Promise<void>;
}

const testdata = (name: string): Uint8Array =>
  Deno.readFileSync(new URL(`../../testdata/${name}`, import.meta.url));

/** Fields in words, as every view and every table of them needs. */
function show(structure: Parameters<typeof shownFields>[0], record: object): void {
  for (const shown of shownFields(structure, record as Record<string, unknown>)) {
    if (/\bNaN\b|\[object|undefined,/.test(shown.meaning ?? "")) {
      throw new Error(`${shown.path}: ${shown.meaning}`);
    }
  }
}

function readHeader(bytes: Uint8Array, random: Random): void {
  const header = fairly(() => decodeSetupHeader(bytes));
  if (!header) return;
  if (random(2) === 0) show(setupHeader, header.fields);
  fairly(() => readVersionString(bytes, header));
  fairly(() => readSetupCode(bytes, header));
  fairly(() => decodeKernelInfo(bytes, header));
  fairly(() => findPayload(bytes, header));
  fairly(() => checkImageCrc(bytes, header, fairly(() => decodePe(bytes))));
  const boot = fairly(() => openBootImage(bytes));
  if (boot) judgeBootImage(boot);
}

function readPage(bytes: Uint8Array, random: Random): void {
  const params = fairly(() => decodeBootParams(bytes));
  if (!params) return;
  if (random(4) === 0) show(bootParams, params.fields);
  showVersionBasis(params);
  for (const { params: edd } of params.fields.eddbuf) {
    eddPaths(edd);
    showEddPaths(edd);
  }
  fairly(() => auditZeroPage(bytes));
  fairly(() => sanitize(bytes));
}

function readSetupData(bytes: Uint8Array, random: Random): void {
  const list = readSetupDataList(
    0x1000n,
    (physical, length) => {
      const at = Number(physical) - 0x1000;
      return at >= 0 && at < bytes.length ? bytes.subarray(at, at + length) : undefined;
    },
  );
  for (const node of list.nodes) showSetupData(node);
  const node = fairly(() => decodeSetupData(bytes));
  if (node) showSetupData(node);
  const types = Object.keys(setupDataTypes);
  const type = Number(types[random(types.length)] ?? 1);
  fairly(() => decodeSetupDataContents(type, bytes.subarray(16)));
  fairly(() => setupDataOfSysfs(`${type}`, bytes.subarray(16)));
}

async function readElf(bytes: Uint8Array): Promise<void> {
  findBanner(bytes);
  findIkconfig(bytes);
  const text = await fairlySoon(() => readIkconfig(bytes, { limit: LIMIT }));
  if (text !== undefined) decodeConfig(text);
  const found = fairly(() => decodeElf(bytes));
  if (!found) return;
  describeElf(found);
  decodeNotes(bytes, found);
  fairly(() => decodeXenGuest(bytes, found));
  for (const phdr of found.phdrs.slice(0, 100)) {
    fairly(() => segmentBytes(bytes, found, phdr));
    fileOffset(found, phdr.vaddr);
  }
  for (const { name } of found.sections.slice(0, 100)) {
    fairly(() => sectionBytes(bytes, found, name));
  }
  const end = fileEnd(found);
  const relocations = fairly(() => decodeRelocations(bytes.subarray(end), found));
  for (const list of relocations?.lists ?? []) for (const _ of relocationAddresses(list));
  const places = found.sections.map(({ name, offset, size }) => ({
    name,
    offset: Number(offset),
    size: Number(size),
  }));
  findBtf(bytes, places);
  await fairlySoon(() => findBuiltinInitramfs(bytes, { sections: places, limit: LIMIT }));
}

async function readPe(bytes: Uint8Array): Promise<void> {
  const pe = fairly(() => decodePe(bytes));
  if (!pe) return;
  for (const section of pe.sections) {
    const content = fairly(() => peSectionBytes(bytes, section));
    if (content && section.name === ".sbat") decodeSbat(new TextDecoder().decode(content));
  }
  fairly(() => peChecksum(bytes, pe.optionalOffset + 0x40));
  fairly(() => authenticodeRanges(bytes, pe));
  const table = fairly(() => decodeCertificates(bytes, pe));
  if (table) await fairlySoon(() => checkDigests(bytes, pe, table));
  const found = fairly(() => decodeUki(bytes, pe));
  for (const { text } of found?.sections ?? []) if (text) decodeOsRelease(text);
}

async function readArchive(bytes: Uint8Array): Promise<void> {
  const archive = fairly(() => decodeCpio(bytes));
  for (const member of archive?.members ?? []) {
    showMember(member);
    contentsOf(bytes, member);
  }
  findBootconfig(bytes);
  await fairlySoon(() => openInitramfs(bytes, { limit: LIMIT }));
}

function readBtf(bytes: Uint8Array): void {
  findBtf(bytes);
  const btf = fairly(() => openBtf(bytes));
  if (!btf) return;
  for (let id = 0; id <= Math.min(btf.count, 500); id++) {
    const type = fairly(() => btf.type(id));
    fairly(() => btf.declare(id, "it"));
    fairly(() => btf.sizeOf(id));
    fairly(() => btf.resolve(id));
    if (!type || !("name" in type) || !type.name) continue;
    fairly(() => btf.printStruct(type.name));
    fairly(() => {
      const layout = btf.structLayout(type.name);
      if (layout) layoutToFields(layout);
    });
  }
  fairly(() => btf.find("STRUCT", "nothing"));
}

function readKallsyms(bytes: Uint8Array): void {
  const found = findKallsyms(bytes);
  if (!found.found) return;
  let n = 0;
  for (const { address, name } of found.symbols()) {
    if (n++ % 100 === 0) {
      found.lookup(name);
      found.nearest(address + 1n);
    }
  }
}

function readOthers(bytes: Uint8Array): void {
  recognise(bytes);
  const first = findMultiboot1(bytes);
  if (first) multiboot1Fields(first);
  const second = findMultiboot2(bytes);
  if (second) multiboot2Fields(second);
  const tree = fairly(() => decodeFdt(bytes));
  if (tree) { for (const _ of showTree(tree.root)); }
  fairly(() => decodeMbr(bytes));
  fairly(() => mbrFields(bytes));
  const gpt = findGpt(bytes);
  if (gpt) gptFields(gpt);
}

/** An ELF as a small kernel would be: notes, banner, configuration, BTF, relocations. */
function kernel(bits: 32 | 64): Uint8Array {
  const config = gzip(latin1("CONFIG_64BIT=y\n# CONFIG_PVH is not set\n"));
  const text = joined(
    latin1("Linux version 6.1.0-made (me@here) (gcc) #1 SMP\n\0IKCFG_ST"),
    config,
    latin1("IKCFG_ED"),
    zeros(40),
  );
  const address = bits === 64 ? 0xffffffff81000000n : 0xc1000000n;
  return elf({
    class: bits,
    segments: [{ vaddr: address, paddr: 0x1000000, data: text }],
    sections: [
      { name: ".text", segment: 0, addr: address },
      { name: ".BTF", data: testdata("btf/sample.btf").slice(0, 400) },
      {
        name: "__xen_guest",
        data: latin1("GUEST_OS=linux,XEN_VER=xen-3.0,VIRT_BASE=0xC0000000\0"),
      },
    ],
    notes: [
      note("GNU", 3, u32(1, 2, 3, 4, 5)),
      note("Linux", 0x100, "6.1.0-made\0"),
      note("Xen", 18, bits === 64 ? u64(0x1000850n) : u32(0x1000850)),
      note("Xen", 5, "xen-3.0\0"),
    ],
    trailing: bits === 64
      ? relocationTable([0x81000000], [0x81000008, 0x81000010], [0x8100000c])
      : relocationTable([0xc1000000, 0xc1000004]),
  });
}

const symbolShape: KallsymsShape = {
  word: 8,
  names: "tokens",
  addresses: "relative",
  order: "behind",
  markerSize: 4,
  seqs: 3,
  align: 8,
};

/** Where a table built for tests starts, and where it ends. */
function symbolTable(shape: KallsymsShape): Sound {
  const start = segmentAddress(shape.word);
  const symbols: BuiltSymbol[] = Array.from({ length: 300 }, (_, i) => ({
    address: start + BigInt(i * 64),
    type: "TtDd"[i % 4] ?? "t",
    name: i === 0 ? "_text" : `sys_${["read", "write", "init"][i % 3]}_of_${i}`,
  }));
  const { bytes, places } = buildKallsyms(symbols, shape);
  const starts = Object.values(places);
  return {
    name: `${shape.word * 8} bits, ${shape.names}, ${shape.addresses}`,
    bytes,
    dense: [...starts.map((at) => [at, at + 24] as const), [0, 64], [
      bytes.length - 64,
      bytes.length,
    ]],
  };
}

function images(): Sound[] {
  const packed = stream("gzip");
  const xz = { bytes: stream("xz"), uncompressedSize: unpackedLength };
  const dense = [[0, 0x2b0], [0xa00, 0xa40]] as const;
  const protocols = [
    0,
    0x105,
    0x200,
    0x201,
    0x202,
    0x203,
    0x204,
    0x205,
    0x206,
    0x207,
    0x208,
    0x209,
    0x20a,
    0x20b,
    0x20c,
    0x20d,
    0x20e,
    0x20f,
  ];
  return protocols.map((protocol) => ({
    name: `protocol ${protocol.toString(16)}`,
    bytes: bzImage({ protocol, payload: protocol < 0x208 ? packed : xz, high: protocol !== 0x200 }),
    dense,
  }));
}

function wholeImages(): Sound[] {
  const packedKernel = gzip(kernel(64));
  return [
    {
      name: "bzImage with a kernel inside",
      bytes: bzImage({ payload: packedKernel, pe: "new" }),
      dense: [[0, 0x2b0], [0x3000, 0x3040], [0x32c0, 0x3400]],
    },
    {
      name: "signed, old layout",
      bytes: bzImage({
        pe: "old",
        payload: gzip(kernel(32)),
        machine: "i386",
        certificate: winCertificate({ bytes: testdata("pe/signed.efi").subarray(-900) }),
      }),
      dense: [[0, 0x2b0], [0xfa0, 0x1000]],
    },
    {
      name: "kernel_info with chunks",
      bytes: bzImage({ kernelInfo: { chunks: [{ magic: "Test", data: Uint8Array.of(1, 2, 3) }] } }),
      dense: [[0x1e0, 0x290], [0xa00, 0xd80]],
    },
    {
      name: "open ELF as payload",
      bytes: bzImage({ payload: kernel(64) }),
      dense: [[0x1f0, 0x290], [0xccc, 0xe00]],
    },
    { name: "vmlinux", bytes: kernel(64) },
    { name: "vmlinux, gzip", bytes: packedKernel },
    { name: "text", bytes: latin1("#!/bin/sh\necho CONFIG_64BIT=y\n\xc3\xa9\x1b[31m\n".repeat(9)) },
  ];
}

/** Files of every other kind. */
function otherFiles(): Sound[] {
  const from = specimenNames.map((name) => ({ name, bytes: specimen(name).bytes }));
  const head = [[0, 0x200]] as const;
  return [
    ...from.map((sound) => ({ ...sound, dense: denseOf(sound.name) })),
    {
      name: "arm64 Image",
      bytes: other.structure(arm64Image, { magic: "ARM\x64" as never }, 256),
      dense: head,
    },
    { name: "RISC-V Image", bytes: other.structure(riscvImage, {}, 256), dense: head },
    { name: "EFI zboot", bytes: zboot(), dense: head },
    {
      name: "multiboot 1",
      bytes: other.multiboot1(0x10003, 0x40, new Uint8Array(600)),
      dense: head,
    },
    { name: "multiboot 2", bytes: other.multiboot2([1, 2, 3, 5, 10], 0x40, 600), dense: head },
    {
      name: "multiboot in ELF",
      bytes: other.multiboot1(3, 0x100, other.elf(32, { size: 800 })),
      dense: head,
    },
    {
      name: "old kernel",
      bytes: other.oldKernel("Linux version 1.2.13 (me@here)"),
      dense: [[0, 32], [0x1e0, 0x220]],
    },
    {
      name: "PE",
      bytes: other.pe({ sections: [".text", ".linux", ".sbat"] }, new Uint8Array(1024)),
      dense: [[0, 0x220]],
    },
  ];
}

function zboot(): Uint8Array {
  const bytes = new Uint8Array(700);
  bytes.set(latin1("MZ\0\0zimg"));
  new DataView(bytes.buffer).setUint32(8, 0x200, true);
  new DataView(bytes.buffer).setUint32(12, 150, true);
  bytes.set(latin1("gzip"), 0x18);
  bytes.set(stream("gzip").subarray(0, 180), 0x200);
  return bytes;
}

/** Where in a specimen its structures stand. */
function denseOf(name: string): readonly (readonly [number, number])[] {
  switch (name) {
    case "iso9660":
      return [[0x8000, 0x80c0], [0x8800, 0x8860], [0x11000, 0x11080]];
    case "gpt":
      return [[0x1b8, 0x260], [0x400, 0x480]];
    case "mbr":
      return [[0x1b8, 0x200]];
    case "android-vendor-3":
    case "android-0":
    case "android-1":
    case "android-2":
    case "android-3":
      return [[0, 64], [0x260, 0x298], [0x660, 0x690]];
    default:
      return [[0, 600]];
  }
}

function archives(): Sound[] {
  const small = encodeCpio([...smallRoot, file("etc/motd", "hello\n")]);
  const intel = intelUpdate({ sig: 0x906ea, rev: 0xf4, extended: [0x906eb, 0x906ec] });
  const amd = amdContainer({
    equivalences: [[0x00800f12, 0x8012]],
    patches: [[0x0800126e, 0x8012], [0x0800126f, 0x8012]],
  });
  return [
    { name: "newc", bytes: small },
    { name: "crc", bytes: testdata("initramfs/tree.crc.cpio") },
    {
      name: "microcode, then gzip, then bootconfig",
      bytes: joined(
        microcodeArchive("GenuineIntel", intel),
        gzip(small),
        bootconfig("kernel.foo = bar\n"),
      ),
    },
    { name: "AMD microcode", bytes: joined(microcodeArchive("AuthenticAMD", amd), small) },
  ];
}

function streamTarget(name: string, count: number): Target {
  const format = streams[name]?.format ?? "gzip";
  return {
    count,
    wholeEvery: 20,
    sounds: () => [{ name, bytes: stream(name) }],
    async read(bytes, random) {
      const size = random(3);
      await fairlySoon(() =>
        decompress(format, bytes, {
          limit: LIMIT,
          ...(size > 0 && { size: size === 1 ? unpackedLength : random(4000) }),
        })
      );
      await fairlySoon(() => recogniseInside(bytes, bytes.length, LIMIT));
    },
  };
}

/** The formats, by name. */
export const targets: Readonly<Record<string, Target>> = {
  "setup header": { count: 16_000, wholeEvery: 8, sounds: images, read: readHeader },
  "zero page": {
    count: 5000,
    wholeEvery: 12,
    sounds: () => [
      { name: "PVH", bytes: pvhPage() },
      {
        name: "full",
        bytes: pageOf({
          e820_entries: 3,
          eddbuf_entries: 1,
          sentinel: 0xff,
          hdr: { boot_flag: 0xaa55, header: 0x53726448, version: 0x20f, loadflags: 0x81 },
        }),
      },
      {
        name: "noise",
        bytes: Uint8Array.from({ length: 4096 }, (_, i) => (i * 197 + (i >> 5)) & 0xff),
      },
    ],
    read: readPage,
  },
  "setup_data": {
    count: 4000,
    wholeEvery: 0,
    sounds: () => {
      const list = [
        encodeSetupData({ type: 9, data: new Uint8Array(32), next: 0x1030n }),
        encodeSetupData({ type: 1, data: new Uint8Array(40), next: 0x1070n }),
        encodeSetupData({ type: 0x80000000, data: new Uint8Array(24), next: 0n }),
      ];
      const bytes = zeros(0x98 + 16);
      [0, 0x30, 0x70].forEach((at, i) => bytes.set(list[i] ?? [], at));
      const tree = encodeSetupData({ type: 2, data: specimen("dtb").bytes });
      return [{ name: "three nodes", bytes }, { name: "device tree", bytes: tree }];
    },
    read: readSetupData,
  },
  "ELF": {
    count: 13_000,
    wholeEvery: 16,
    sounds: () => [
      { name: "64 bits", bytes: kernel(64) },
      { name: "32 bits", bytes: kernel(32) },
      {
        name: "big endian",
        bytes: elf({ class: 32, bigEndian: true, machine: 20, notes: [note("GNU", 3, u32(1))] }),
      },
    ],
    read: readElf,
  },
  "PE": {
    count: 10_000,
    wholeEvery: 12,
    sounds: () => {
      const signed = testdata("pe/signed.efi");
      return [
        {
          name: "signed",
          bytes: signed,
          dense: [[0, 0x260], [signed.length - 5000, signed.length]],
        },
        { name: "UKI", bytes: testdata("pe/uki.efi"), dense: [[0, 0x500]] },
        {
          name: "UKI with a kernel",
          bytes: uki([
            ["linux", bzImage({ payload: stream("gzip"), pe: "new" })],
            ["initrd", encodeCpio(smallRoot)],
            ["cmdline", "root=/dev/vda"],
            ["osrel", 'ID=made\nNAME="Made OS"\n'],
            ["sbat", "sbat,1,SBAT Version,sbat,1,https://example.org\n"],
            ["uname", "6.1.0-made"],
          ]),
          dense: [[0, 0x300]],
        },
      ];
    },
    read: readPe,
  },
  "whole images": { count: 6000, wholeEvery: 2, sounds: wholeImages, read: readHeader },
  "initramfs": { count: 9000, wholeEvery: 16, sounds: archives, read: readArchive },
  "microcode": {
    count: 4000,
    wholeEvery: 0,
    sounds: () => [
      { name: "Intel", bytes: intelUpdate({ sig: 0x906ea, rev: 0xf4, extended: [0x906eb] }) },
      {
        name: "AMD",
        bytes: amdContainer({ equivalences: [[0x00800f12, 0x8012]], patches: [[1, 0x8012]] }),
      },
    ],
    read(bytes) {
      fairly(() => decodeIntelMicrocode(bytes));
      fairly(() => decodeAmdMicrocode(bytes));
    },
  },
  "BTF": {
    count: 7000,
    wholeEvery: 0,
    sounds: () => [
      { name: "sample", bytes: testdata("btf/sample.btf") },
      {
        name: "built",
        bytes: buildBtf([
          { kind: "INT", name: "int", word: 4, tail: [32] },
          { kind: "PTR", word: 3 },
          { kind: "STRUCT", name: "node", word: 16, tail: ["next", 2, 0, "value", 1, 64] },
          { kind: "ARRAY", tail: [1, 1, 4] },
          { kind: "TYPEDEF", name: "four", word: 4 },
        ]),
      },
    ],
    read: readBtf,
  },
  "kallsyms": {
    count: 2400,
    wholeEvery: 0,
    sounds: () => [
      symbolTable(symbolShape),
      symbolTable({ ...symbolShape, addresses: "absolute", order: "before", seqs: 0 }),
      symbolTable({ ...symbolShape, addresses: "place-relative", align: 4 }),
      symbolTable({
        ...symbolShape,
        word: 4,
        align: 4,
        names: "stems",
        addresses: "absolute",
        order: "before",
        seqs: 0,
      }),
    ],
    read: readKallsyms,
  },
  "other files": { count: 14_000, wholeEvery: 8, sounds: otherFiles, read: readOthers },
  ...Object.fromEntries(Object.keys(streams).map((name) => [name, streamTarget(name, 2500)])),
};
