/**
 * Does a zero page keep the contract between loader and kernel?
 *
 * The rules have lasting names, L01 to L23; those that need registers or memory
 * are judged where a machine is at hand. An error breaks some kernel, a warning
 * breaks the contract but no kernel known, a note is worth a look.
 *
 * @module
 */

import {
  BOOT_PARAMS_SIZE,
  type BootParams,
  bootParams,
  decodeBootParams,
  HEADER_LIMIT,
} from "../formats/boot_params.ts";
import type { Complaint } from "../formats/complaint.ts";
import { hex } from "../formats/errors.ts";
import { type Row, sizeOf, type Structure } from "../formats/layout.ts";
import { type ReadPhysical, readSetupDataList } from "../formats/setup_data.ts";
import {
  type FoundHeader,
  loaderTypes,
  setupHeader,
  showProtocol,
} from "../formats/setup_header.ts";
import { CMDLINE_SIZE, INITRD_ADDR_MAX } from "./loaders/cargo.ts";
import { runAddress } from "./run_address.ts";
import type { ZeroPage } from "./zero_page.ts";

/** What a page is judged against; what is not known is not judged. */
export interface AuditContext {
  /** Physical address of the page. */
  readonly address?: bigint;
  /** Physical address at which the protected-mode code was loaded. */
  readonly load?: bigint;
  /** Reads physical memory. */
  readonly read?: ReadPhysical;
}

/** The image a page was made for. */
export interface AuditImage {
  /** The image from its boot sector on. */
  readonly bytes: Uint8Array;
  /** Its setup header. */
  readonly header: FoundHeader;
}

interface Case {
  readonly page: Uint8Array;
  readonly params: BootParams;
  readonly image: AuditImage | undefined;
  readonly context: AuditContext;
  /** Protocol version of the image, else of the page; bit 15 taken off. */
  readonly version: number;
}

type Finding = readonly [offset: number, message: string, severity?: Complaint["severity"]];

/** One rule of the contract. */
export interface AuditRule {
  /** How bad it is to break it. */
  readonly severity: Complaint["severity"];
  /** The rule, in a sentence. */
  readonly says: string;
}

interface Judge extends AuditRule {
  find(judged: Case): Iterable<Finding>;
}

const GIB4 = 1n << 32n;
const header: Structure = setupHeader;

const isUsed = (bytes: Uint8Array): boolean => bytes.some((byte) => byte !== 0);
const bytesAt = (page: Uint8Array, row: Row): Uint8Array =>
  page.subarray(row.at, row.at + sizeOf(row));
const differ = (a: Uint8Array, b: Uint8Array): boolean => a.some((byte, i) => byte !== b[i]);

/** Where header fields of the image's version end. */
function headerEnd({ image, params }: Case): number {
  return Math.min(image?.header.end ?? params.header.end, HEADER_LIMIT);
}

/** What the kernel needs at its run-time address; undefined where nothing tells. */
function runWindow({ image, context, params }: Case): readonly [bigint, bigint] | undefined {
  const { init_size, code32_start } = image?.header.fields ?? params.header.fields;
  const load = context.load ?? (code32_start === undefined ? undefined : BigInt(code32_start));
  if (!init_size || load === undefined) return undefined;
  const start = runAddress(image?.header ?? params.header, load);
  return [start, start + BigInt(init_size)];
}

const overlap = (a: readonly [bigint, bigint], b: readonly [bigint, bigint]): boolean =>
  a[0] < b[1] && b[0] < a[1];
const range = ([from, to]: readonly [bigint, bigint]): string => `[${hex(from)}, ${hex(to)})`;

/** RAM of the page's map, by address, what is reserved in it not taken off. */
function ramOf({ e820 }: BootParams): (readonly [bigint, bigint])[] {
  return e820.filter(({ type }) => type === 1).map(({ addr, size }) => [addr, addr + size]);
}

const rules: Readonly<Record<string, Judge>> = {
  L01: {
    severity: "error",
    says: "The page is zeroed before the setup header alone is copied into it.",
    *find({ page, image, params }) {
      if (params.fields.sentinel !== 0) {
        const value = hex(params.fields.sentinel, 2);
        yield [0x1ef, `sentinel: needs 0, found ${value}: more than the header was copied`];
      }
      if (image === undefined) return;
      const runs = sameRun(page, image.bytes);
      if (runs !== undefined) {
        yield [runs, `16 bytes of the image's own code stand at ${hex(runs, 3)} of the page`];
      }
    },
  },
  L02: {
    severity: "error",
    says: "Fields that the image's protocol version lacks are zero.",
    *find(judged) {
      const { page, version, params } = judged;
      const end = headerEnd(judged);
      for (const [name, row] of Object.entries(header.fields)) {
        if ((row.since ?? 0) <= version || row.at >= end) continue;
        if (!isUsed(bytesAt(page, row))) continue;
        const found = showProtocol(version);
        yield [
          row.at,
          `setup_header.${name}: came with ${showProtocol(row.since ?? 0)}, the ` +
          `image speaks ${found}, and it is set`,
        ];
      }
      for (const { path, at } of params.leftovers) {
        if (path.startsWith("_pad") && path !== "_pad7") {
          yield [at, `boot_params.${path}: padding is set`];
        }
      }
    },
  },
  L03: {
    severity: "warning",
    says: "The header is copied up to its end as the byte at 0x201 tells it, and no further.",
    *find(judged) {
      const end = headerEnd(judged);
      const at = judged.page.subarray(end, HEADER_LIMIT).findIndex((byte) => byte !== 0);
      if (at >= 0) {
        yield [
          end + at,
          `bytes behind the header's end at ${hex(end)} are set, from ${hex(end + at)} on`,
        ];
      }
    },
  },
  L04: {
    severity: "error",
    says: "Of the header the loader changes its own fields only.",
    *find(judged) {
      const { page, image, version } = judged;
      if (image === undefined) return;
      const end = headerEnd(judged);
      for (const [name, row] of Object.entries(header.fields)) {
        const isThere = (row.since ?? 0) <= version && row.at + sizeOf(row) <= end;
        if (!isThere || row.direction === "write" || row.direction === "modify") continue;
        const [was, is] = [bytesAt(image.bytes, row), bytesAt(page, row)];
        if (!differ(was, is)) continue;
        // Its upper byte once said whether there is a PS/2 mouse; clearing it hurts nobody.
        const isMouse = name === "boot_flag" && is[1] === 0;
        yield [
          row.at,
          `setup_header.${name}: the image says ${showBytes(was)}, the page ${showBytes(is)}`,
          isMouse ? "warning" : "error",
        ];
      }
      const [was, is] = [image.bytes[0x211] ?? 0, page[0x211] ?? 0];
      if (version >= 0x200 && ((was ^ is) & 1) !== 0) {
        yield [
          0x211,
          `setup_header.loadflags: LOADED_HIGH is the image's, ${hex(was, 2)} became ${hex(is, 2)}`,
          "warning",
        ];
      }
    },
  },
  L05: {
    severity: "warning",
    says: "The command line lies outside the zero page.",
    *find({ params: { commandLine }, context: { address } }) {
      if (address === undefined || commandLine === 0n) return;
      if (commandLine >= address && commandLine < address + BigInt(BOOT_PARAMS_SIZE)) {
        yield [0x228, `setup_header.cmd_line_ptr: ${hex(commandLine)} is within the zero page`];
      }
    },
  },
  L06: {
    severity: "error",
    says: "The command line ends with a NUL within cmdline_size, 255 before 2.06.",
    *find({ params: { commandLine, fields }, image, context: { read } }) {
      if (read === undefined || commandLine === 0n) return;
      const most = (image?.header.fields ?? fields.hdr).cmdline_size ?? CMDLINE_SIZE;
      const text = read(commandLine, Math.min(most, 1 << 20) + 1);
      if (text === undefined || !text.includes(0)) {
        yield [
          0x228,
          `setup_header.cmd_line_ptr: no NUL in ${most} bytes from ${hex(commandLine)}`,
        ];
      }
    },
  },
  L13: {
    severity: "error",
    says: "init_size bytes at the run-time address are RAM that nothing else lies in.",
    *find(judged) {
      const window = runWindow(judged);
      if (window === undefined) return;
      const { params, context } = judged;
      const { ramdisk, commandLine } = params;
      const others: [string, number, bigint, bigint][] = [
        ["the initrd", 0x218, ramdisk.address, ramdisk.size],
        ["the command line", 0x228, commandLine, 1n],
        ["setup_data", 0x250, params.fields.hdr.setup_data ?? 0n, 16n],
      ];
      if (context.address !== undefined) {
        others.push(["the zero page", 0, context.address, BigInt(BOOT_PARAMS_SIZE)]);
      }
      for (const [what, at, address, size] of others) {
        if (
          (address !== 0n || what === "the zero page") && size > 0n &&
          overlap(window, [address, address + size])
        ) {
          yield [at, `${what} at ${hex(address)} lies in ${range(window)}, which the kernel needs`];
        }
      }
    },
  },
  L14: {
    severity: "error",
    says: "The initrd ends at initrd_addr_max, or lies above 4 GiB where xloadflags allow it.",
    *find({ params, image, version }) {
      const { address, size } = params.ramdisk;
      if (address === 0n || size === 0n) return;
      const { xloadflags = 0, initrd_addr_max } = image?.header.fields ?? params.header.fields;
      const last = address + size - 1n;
      if ((xloadflags & 2) !== 0) return;
      const most = version >= 0x203 && initrd_addr_max ? BigInt(initrd_addr_max) : INITRD_ADDR_MAX;
      // A page without a header of an image says nothing of the kernel's limits.
      if (image === undefined && !initrd_addr_max) return;
      if (last > most) {
        yield [
          0x218,
          `setup_header.ramdisk_image: the initrd ends at ${hex(last)}, needs ${
            hex(most)
          } or below`,
        ];
      }
      if (last >= GIB4) yield [0xc0, "boot_params.ext_ramdisk_image: xloadflags bit 1 is not set"];
    },
  },
  L15: {
    severity: "error",
    says: "hardware_subarch needs 2.07, setup_data 2.09, the ext_ fields 2.12.",
    *find({ page, params: { fields }, version }) {
      const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
      const uses: [string, number, number, boolean][] = [
        ["setup_header.hardware_subarch", 0x23c, 0x207, view.getUint32(0x23c, true) !== 0],
        ["setup_header.setup_data", 0x250, 0x209, view.getBigUint64(0x250, true) !== 0n],
        ["boot_params.ext_ramdisk_image", 0xc0, 0x20c, fields.ext_ramdisk_image !== 0],
        ["boot_params.ext_ramdisk_size", 0xc4, 0x20c, fields.ext_ramdisk_size !== 0],
        ["boot_params.ext_cmd_line_ptr", 0xc8, 0x20c, fields.ext_cmd_line_ptr !== 0],
      ];
      for (const [name, at, since, isSet] of uses) {
        if (isSet && version < since) {
          yield [
            at,
            `${name}: needs protocol ${showProtocol(since)}, the image speaks ${
              showProtocol(version)
            }`,
          ];
        }
      }
    },
  },
  L16: {
    severity: "error",
    says: "KEEP_SEGMENTS goes with a platform type that needs it, and is ignored from 5.7 on.",
    *find({ params: { fields: { hdr } } }) {
      const keeps = ((hdr.loadflags ?? 0) & 0x40) !== 0;
      if (keeps && !hdr.hardware_subarch) {
        yield [0x211, "setup_header.loadflags: KEEP_SEGMENTS with platform type 0, a pc"];
      }
    },
  },
  L17: {
    severity: "warning",
    says: "type_of_loader is one of the assigned numbers, and not 0.",
    *find({ params: { fields: { hdr } }, version }) {
      const type = hdr.type_of_loader;
      if (type === undefined || version < 0x200) return;
      if (type === 0) {
        yield [0x210, "setup_header.type_of_loader: 0, the kernel will ignore an initrd"];
      } else if (type >> 4 !== 0xe && loaderTypes[type >> 4] === undefined) {
        yield [0x210, `setup_header.type_of_loader: ${hex(type, 2)} is not assigned`];
      }
    },
  },
  L18: {
    severity: "error",
    says: "With CAN_USE_HEAP set, heap_end_ptr tells a heap within the real-mode segment.",
    *find({ params: { fields: { hdr } } }) {
      if (((hdr.loadflags ?? 0) & 0x80) === 0) return;
      const end = (hdr.heap_end_ptr ?? 0) + 0x200;
      if (end > 0x1_0000 || end <= 0x200) {
        yield [0x224, `setup_header.heap_end_ptr: a heap that ends at ${hex(end)} of the segment`];
      }
    },
  },
  L19: {
    severity: "warning",
    says:
      "The memory map is sorted, does not overlap, holds the kernel, and has 128 entries at most.",
    *find(judged) {
      const { params } = judged;
      const { e820, fields } = params;
      if (fields.e820_entries > e820.length) {
        yield [0x1e8, `boot_params.e820_entries: ${fields.e820_entries}, the table has 128`];
      }
      if (e820.length === 0) yield [0x1e8, "boot_params.e820_entries: 0, no memory map"];
      const at = (i: number): number => bootParams.fields.e820_table.at + 20 * i;
      for (const [i, { addr, size }] of e820.entries()) {
        const before = e820[i - 1];
        if (before && addr < before.addr) {
          yield [
            at(i),
            `boot_params.e820_table[${i}]: ${hex(addr)} comes after ${hex(before.addr)}`,
          ];
        }
        const other = e820.findIndex((one, j) =>
          j < i && overlap([addr, addr + size], [one.addr, one.addr + one.size])
        );
        if (other >= 0) {
          yield [at(i), `boot_params.e820_table[${i}]: overlaps e820_table[${other}]`];
        }
      }
      const ram = ramOf(params);
      if (ram.some((one) => overlap(one, [0xa_0000n, 0x10_0000n]))) {
        yield [at(0), "boot_params.e820_table: the hole from 0xa0000 to 0x100000 is RAM"];
      }
      const window = runWindow(judged);
      if (
        window && e820.length > 0 && !ram.some(([from, to]) => from <= window[0] && window[1] <= to)
      ) yield [at(0), `boot_params.e820_table: ${range(window)} for the kernel is not RAM`];
    },
  },
  L20: {
    severity: "warning",
    says: "The setup_data list ends, its nodes lie in memory, their types are known.",
    *find({ params: { fields: { hdr } }, context: { read } }) {
      if (read === undefined || !hdr.setup_data) return;
      const { nodes, complaints } = readSetupDataList(hdr.setup_data, read);
      for (const problem of complaints) yield [0x250, problem];
      for (const { typeName, address } of nodes) {
        if (typeName.startsWith("unassigned")) {
          yield [0x250, `setup_data node at ${hex(address)}: type ${typeName}`];
        }
      }
    },
  },
  L21: {
    severity: "info",
    says: "Version 2.14 was withdrawn and is never used.",
    *find({ params: { header: { version } } }) {
      if ((version & 0x7fff) === 0x20e || (version & 0x8000) !== 0) {
        yield [0x206, `setup_header.version: ${hex(version, 4)} is of the withdrawn 2.14`];
      }
    },
  },
  L23: {
    severity: "warning",
    says: "code32_start is the image's, the load address, or a hook.",
    *find({ params: { fields: { hdr } }, image, context: { load } }) {
      const was = image?.header.fields.code32_start;
      const is = hdr.code32_start;
      if (was === undefined || is === undefined || was === is) return;
      if (load !== undefined && BigInt(is) === (load & (GIB4 - 1n))) return;
      // Unless it is known where the kernel is, an address it could be at will do.
      const { relocatable_kernel, kernel_alignment = 0 } = image?.header.fields ?? {};
      if (load === undefined && relocatable_kernel && is % (kernel_alignment || 1) === 0) return;
      yield [0x214, `setup_header.code32_start: ${hex(was)} became ${hex(is)}: a hook, or wrong`];
    },
  },
};

/** The rules that can be judged from a page and its image, by their lasting names. */
export const auditRules: Readonly<Record<string, AuditRule>> = rules;

/** Where 16 bytes of the page outside the header are the image's own, and not of one kind. */
function sameRun(page: Uint8Array, image: Uint8Array): number | undefined {
  for (let at = 0; at + 16 <= BOOT_PARAMS_SIZE; at++) {
    if (at + 16 > 0x1e0 && at < HEADER_LIMIT) continue;
    const piece = page.subarray(at, at + 16);
    if (new Set(piece).size >= 6 && !differ(piece, image.subarray(at, at + 16))) return at;
  }
  return undefined;
}

function showBytes(bytes: Uint8Array): string {
  return `0x${[...bytes].reverse().map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/**
 * What a zero page has against the contract between loader and kernel.
 *
 * @param page 4096 bytes.
 * @param image The image it was made for; without it, what needs it is not judged.
 * @returns Complaints by offset in the page; `rule` is a key of {@link auditRules}.
 * @throws {FormatError} If the page is short.
 */
export function auditZeroPage(
  page: Uint8Array,
  image?: AuditImage,
  context: AuditContext = {},
): Complaint[] {
  const params = decodeBootParams(page);
  const version = (image?.header ?? params.header).version & 0x7fff;
  const judged: Case = { page, params, image, context, version };
  const complaints: Complaint[] = [];
  for (const [rule, { severity, find }] of Object.entries(rules)) {
    for (const [offset, message, own = severity] of find(judged)) {
      complaints.push({ severity: own, offset, rule, message });
    }
  }
  return complaints;
}

/** A built page's own context: its address, the kernel's, and memory as far as it was laid out. */
export function auditContextOf(zeroPage: ZeroPage): AuditContext {
  const pieces: readonly { readonly address: bigint; readonly bytes: Uint8Array }[] = [
    zeroPage.commandLine,
    ...zeroPage.setupData,
  ];
  return {
    address: zeroPage.address,
    load: zeroPage.kernel.load,
    read(physical, length) {
      const piece = pieces.find(({ address, bytes }) =>
        physical >= address && physical < address + BigInt(bytes.length)
      );
      if (piece === undefined) return undefined;
      const from = Number(physical - piece.address);
      return piece.bytes.subarray(from, from + length);
    },
  };
}
