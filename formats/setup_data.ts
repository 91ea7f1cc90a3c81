/**
 * setup_data: a linked list in memory, by which a loader hands over what the zero
 * page has no room for: a device tree, more of the memory map, a random seed.
 *
 * Each node is a header of 16 bytes (physical address of the next node, type,
 * length) and its data. A node of type SETUP_INDIRECT holds only where the data
 * is. The list comes from a loader and is not trusted: walking it ends at a
 * cycle, at a limit, or where memory does.
 *
 * Source: arch/x86/include/uapi/asm/setup_data.h; Documentation/arch/x86/boot.rst,
 * protocols 2.09 and 2.15.
 *
 * @module
 */

import { bootE820Entry, type E820Entry } from "./boot_params.ts";
import { FormatError, hex, need } from "./errors.ts";
import { type AnyRecord, decode, encode, meaning, type Structure } from "./layout.ts";
import { SETUP_INDIRECT, setupDataTypes, showSetupDataType } from "./setup_types.ts";

export { SETUP_INDIRECT, setupDataTypes, showSetupDataType };

/** struct setup_data, the header of a node; 16 bytes. */
export const setupDataHeader = {
  name: "setup_data",
  size: 16,
  fields: {
    next: { at: 0x00, type: "u64", doc: "Physical address of the next node; 0 none." },
    type: {
      at: 0x08,
      type: "u32",
      doc: "What the data is.",
      show: (n: number): string => showSetupDataType(n),
    },
    len: { at: 0x0c, type: "u32", doc: "Bytes of data behind this header." },
  },
} as const satisfies Structure;

/** struct setup_indirect: data that is elsewhere. Since protocol 2.15. */
export const setupIndirect = {
  name: "setup_indirect",
  size: 24,
  fields: {
    type: {
      at: 0x00,
      type: "u32",
      doc: "SETUP_INDIRECT together with the type of the data; never SETUP_INDIRECT alone.",
      show: (n: number): string => showSetupDataType(n),
      check: (n: number): string | undefined =>
        n === SETUP_INDIRECT ? "needs the type of the data beside SETUP_INDIRECT" : undefined,
    },
    reserved: { at: 0x04, type: "u32", doc: "Reserved, 0." },
    len: { at: 0x08, type: "u64", doc: "Bytes of data." },
    addr: { at: 0x10, type: "u64", doc: "Physical address of the data." },
  },
} as const satisfies Structure;

/** The header of a flattened device tree, big endian as all of it. */
export const fdtHeaderFields = [
  "magic",
  "totalsize",
  "off_dt_struct",
  "off_dt_strings",
  "off_mem_rsvmap",
  "version",
  "last_comp_version",
  "boot_cpuid_phys",
  "size_dt_strings",
  "size_dt_struct",
] as const;

/** struct pci_setup_rom without its inner header, as 64-bit code writes it: a PCI option ROM. */
export const pciSetupRom = {
  name: "pci_setup_rom",
  size: 48,
  fields: {
    vendor: { at: 0x00, type: "u16", doc: "PCI vendor." },
    devid: { at: 0x02, type: "u16", doc: "PCI device." },
    _pad: { at: 0x04, type: "pad", size: 4, doc: "Padding." },
    pcilen: { at: 0x08, type: "u64", doc: "Bytes of the ROM." },
    segment: { at: 0x10, type: "u64", doc: "PCI segment." },
    bus: { at: 0x18, type: "u64", doc: "PCI bus." },
    device: { at: 0x20, type: "u64", doc: "PCI slot." },
    function: { at: 0x28, type: "u64", doc: "PCI function." },
  },
} as const satisfies Structure;

/** struct efi_setup_data: what the next kernel of a kexec has to know of EFI. */
export const efiSetupData = {
  name: "efi_setup_data",
  size: 96,
  fields: {
    fw_vendor: { at: 0x00, type: "u64", doc: "Address of the vendor string." },
    __unused: { at: 0x08, type: "u64", doc: "Unused; runtime services up to 5.6." },
    tables: { at: 0x10, type: "u64", doc: "Physical address of the configuration tables." },
    smbios: { at: 0x18, type: "u64", doc: "Physical address of the SMBIOS table." },
    reserved: { at: 0x20, type: "pad", size: 64, doc: "Reserved." },
  },
} as const satisfies Structure;

/** struct jailhouse_setup_data: a cell of the Jailhouse hypervisor. */
export const jailhouseSetupData = {
  name: "jailhouse_setup_data",
  size: 284,
  fields: {
    version: { at: 0x00, type: "u16", doc: "Version of this structure." },
    compatible_version: { at: 0x02, type: "u16", doc: "Oldest version it is compatible with." },
    pm_timer_address: { at: 0x04, type: "u16", doc: "I/O port of the PM timer." },
    num_cpus: { at: 0x06, type: "u16", doc: "CPUs of the cell." },
    pci_mmconfig_base: { at: 0x08, type: "u64", doc: "Physical address of PCI's config space." },
    tsc_khz: { at: 0x10, type: "u32", doc: "Time stamp counter in kHz." },
    apic_khz: { at: 0x14, type: "u32", doc: "APIC timer in kHz." },
    standard_ioapic: { at: 0x18, type: "u8", doc: "1: there is an I/O APIC." },
    cpu_ids: { at: 0x19, type: "bytes", size: 255, doc: "APIC ids of the CPUs." },
    flags: {
      at: 0x118,
      type: "u32",
      since: 2,
      doc: "Which UARTs the cell may use, one bit a UART.",
    },
  },
} as const satisfies Structure;

/** struct cc_setup_data: where the confidential-computing blob is. */
export const ccSetupData = {
  name: "cc_setup_data",
  size: 4,
  fields: {
    cc_blob_address: { at: 0x00, type: "u32", doc: "Physical address of the blob." },
  },
} as const satisfies Structure;

/** struct ima_setup_data: IMA's measurements of the kernel before. */
export const imaSetupData = {
  name: "ima_setup_data",
  size: 16,
  fields: {
    addr: { at: 0x00, type: "u64", doc: "Physical address of the measurements." },
    size: { at: 0x08, type: "u64", doc: "Their bytes." },
  },
} as const satisfies Structure;

/** struct kho_data: state kept over a kexec (kexec handover). */
export const khoData = {
  name: "kho_data",
  size: 32,
  fields: {
    fdt_addr: { at: 0x00, type: "u64", doc: "Physical address of the tree that describes it." },
    fdt_size: { at: 0x08, type: "u64", doc: "Bytes of that tree." },
    scratch_addr: { at: 0x10, type: "u64", doc: "Physical address of the list of scratch areas." },
    scratch_size: { at: 0x18, type: "u64", doc: "Bytes of that list." },
  },
} as const satisfies Structure;

/** The contents of a node, as far as its type has a form. */
export interface SetupDataContents {
  /** The table the contents follow; absent where they are bare bytes or a list. */
  readonly structure?: Structure;
  /** The fields of that table. */
  readonly fields?: AnyRecord;
  /** More of the memory map (SETUP_E820_EXT). */
  readonly e820?: readonly E820Entry[];
  /** The header of a device tree (SETUP_DTB). */
  readonly fdt?: Readonly<Record<typeof fdtHeaderFields[number], number>>;
  /** What is wrong with the contents, in sentences without full stop. */
  readonly complaints: readonly string[];
}

/** A decoded node. */
export interface SetupDataNode {
  /** Physical address of the node; 0 where it was given without one. */
  readonly address: bigint;
  /** Physical address of the next node; 0 none. */
  readonly next: bigint;
  /** Its type as in the node. */
  readonly type: number;
  /** The type by name. */
  readonly typeName: string;
  /** Bytes of data by the node's header. */
  readonly len: number;
  /** The data; less than `len` bytes where memory ends or a limit was reached. */
  readonly data: Uint8Array;
  /** The data by its type. */
  readonly contents: SetupDataContents;
}

const tables: Readonly<Record<number, Structure>> = {
  3: pciSetupRom,
  4: efiSetupData,
  6: jailhouseSetupData,
  7: ccSetupData,
  8: imaSetupData,
  10: khoData,
  [SETUP_INDIRECT]: setupIndirect,
};

/**
 * The data of a node by its type.
 *
 * Never throws: contents that are too short or wrong become complaints.
 */
export function decodeSetupDataContents(type: number, data: Uint8Array): SetupDataContents {
  if (type === 1) return e820Contents(data);
  if (type === 2) return fdtContents(data);
  const structure = tables[type];
  if (structure === undefined) return { complaints: [] };
  // Jailhouse's first version ends before `flags`.
  const version = structure === jailhouseSetupData && data.length < structure.size ? 1 : Infinity;
  try {
    const fields = decode(structure, data, { version });
    return { structure, fields, complaints: [...checks(structure, fields)] };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { structure, complaints: [error.message] };
  }
}

function* checks(structure: Structure, fields: AnyRecord): Generator<string> {
  for (const [name, row] of Object.entries(structure.fields)) {
    const problem = row.check?.(fields[name]);
    if (problem !== undefined) yield `${structure.name}.${name} ${problem}`;
  }
}

function e820Contents(data: Uint8Array): SetupDataContents {
  const { size } = bootE820Entry;
  const count = Math.floor(data.length / size);
  const e820 = Array.from(
    { length: count },
    (_, i) => decode(bootE820Entry, data, { at: i * size }),
  );
  const rest = data.length - count * size;
  return {
    e820,
    complaints: rest === 0 ? [] : [`${rest} bytes behind the last whole entry of ${size} bytes`],
  };
}

function fdtContents(data: Uint8Array): SetupDataContents {
  if (data.length < 40) {
    return { complaints: [`the header of a device tree needs 40 bytes, found ${data.length}`] };
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const fdt = Object.fromEntries(
    fdtHeaderFields.map((name, i) => [name, view.getUint32(4 * i, false)]),
  ) as Record<typeof fdtHeaderFields[number], number>;
  const complaints: string[] = [];
  if (fdt.magic !== 0xd00dfeed) {
    complaints.push(`a device tree begins with 0xd00dfeed, found ${hex(fdt.magic, 8)}`);
  }
  if (fdt.totalsize > data.length) {
    complaints.push(`the device tree is ${fdt.totalsize} bytes long, the node has ${data.length}`);
  }
  return { fdt, complaints };
}

/** Reads physical memory; `undefined` where there is none. */
export type ReadPhysical = (physical: bigint, length: number) => Uint8Array | undefined;

/** Bounds of a walk, for lists that were not made in good faith. */
export interface WalkLimits {
  /** Most nodes; default 256. */
  readonly nodes?: number;
  /** Most bytes of data that are read of one node; default 16 MiB. */
  readonly bytes?: number;
}

/** A list as far as it could be followed. */
export interface SetupDataList {
  /** The nodes, in the list's order. */
  readonly nodes: readonly SetupDataNode[];
  /** Why the list could not be followed to its end, and what its nodes have wrong. */
  readonly complaints: readonly string[];
}

/**
 * Follows a list from its first node.
 *
 * @param first Physical address, as in the setup header; 0 is an empty list.
 * @param read Gives `length` bytes at a physical address, fewer or none where
 *   memory ends.
 */
export function readSetupDataList(
  first: bigint,
  read: ReadPhysical,
  limits: WalkLimits = {},
): SetupDataList {
  const { nodes: most = 256, bytes: longest = 16 << 20 } = limits;
  const nodes: SetupDataNode[] = [];
  const complaints: string[] = [];
  const seen = new Set<bigint>();
  for (let address = first; address !== 0n;) {
    const where = `setup_data node ${nodes.length} at ${hex(address)}`;
    if (seen.has(address)) {
      complaints.push(`${where}: the list runs in a circle`);
      break;
    }
    if (nodes.length >= most) {
      complaints.push(`${where}: more than ${most} nodes`);
      break;
    }
    seen.add(address);
    const head = read(address, setupDataHeader.size);
    if (head === undefined || head.length < setupDataHeader.size) {
      complaints.push(`${where}: no memory there`);
      break;
    }
    const { next, type, len } = decode(setupDataHeader, head);
    const wanted = Math.min(len, longest);
    const data = len === 0
      ? new Uint8Array()
      : read(address + BigInt(setupDataHeader.size), wanted) ?? new Uint8Array();
    if (len > longest) complaints.push(`${where}: ${len} bytes of data, ${longest} looked at`);
    if (data.length < wanted) {
      complaints.push(`${where}: len says ${len} bytes, memory ends after ${data.length}`);
    }
    const node = nodeOf(address, next, type, len, data.subarray(0, wanted));
    complaints.push(...node.contents.complaints.map((problem) => `${where}: ${problem}`));
    nodes.push(node);
    address = next;
  }
  return { nodes, complaints };
}

function nodeOf(
  address: bigint,
  next: bigint,
  type: number,
  len: number,
  data: Uint8Array,
): SetupDataNode {
  return {
    address,
    next,
    type,
    typeName: showSetupDataType(type),
    len,
    data,
    contents: decodeSetupDataContents(type, data),
  };
}

/**
 * Reads one node from its bytes, header and data.
 *
 * @throws {FormatError} If the input ends before the data does.
 */
export function decodeSetupData(bytes: Uint8Array, at = 0, address = 0n): SetupDataNode {
  const { next, type, len } = decode(setupDataHeader, bytes, { at });
  const start = at + setupDataHeader.size;
  need(bytes, { structure: "setup_data", field: "data", offset: start }, len);
  return nodeOf(address, next, type, len, bytes.subarray(start, start + len));
}

/**
 * Puts one node together from the pieces a running kernel shows of it under
 * /sys/kernel/boot_params/setup_data/N/.
 *
 * @param type The text of the file `type`, a number as C writes it ("0x9\n").
 * @param data The bytes of the file `data`. Of an indirect node the kernel shows
 *   the data pointed to, and the type with the indirect bit.
 * @throws {FormatError} If the type is not a number of 32 bits.
 */
export function setupDataOfSysfs(type: string, data: Uint8Array): SetupDataNode {
  const text = type.trim();
  const number = /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text) ? Number(text) : NaN;
  if (!(number <= 0xffffffff)) {
    throw new FormatError(
      { structure: "setup_data", field: "type", offset: 0 },
      `needs a number of 32 bits, found ${JSON.stringify(text.slice(0, 40))}`,
    );
  }
  const node = nodeOf(0n, 0n, number, data.length, data);
  return number > SETUP_INDIRECT
    ? { ...node, contents: decodeSetupDataContents(number - SETUP_INDIRECT, data) }
    : node;
}

/** A node to be written. */
export interface NewSetupData {
  /** Its type. */
  readonly type: number;
  /** Its data. */
  readonly data: Uint8Array;
  /** Physical address of the next node; default 0, none. */
  readonly next?: bigint;
}

/** A node's bytes: header and data. */
export function encodeSetupData({ type, data, next = 0n }: NewSetupData): Uint8Array {
  const { size } = setupDataHeader;
  const bytes = encode(
    setupDataHeader,
    { next, type, len: data.length },
    new Uint8Array(size + data.length),
  );
  bytes.set(data, size);
  return bytes;
}

/** Part of a memory map as the data of a SETUP_E820_EXT node. */
export function encodeE820(entries: readonly E820Entry[]): Uint8Array {
  const { size } = bootE820Entry;
  const bytes = new Uint8Array(entries.length * size);
  entries.forEach((entry, i) => encode(bootE820Entry, entry, bytes, i * size));
  return bytes;
}

/** A node in words: `SETUP_RNG_SEED, 32 bytes`, with the contents it has. */
export function showSetupData(node: SetupDataNode): string {
  const head = `${node.typeName}, ${node.len} ${node.len === 1 ? "byte" : "bytes"}`;
  const { structure, fields, e820, fdt } = node.contents;
  if (e820 !== undefined) return `${head}: ${e820.length} more e820 entries`;
  if (fdt !== undefined) {
    return fdt.magic === 0xd00dfeed
      ? `${head}: device tree version ${fdt.version}, ${fdt.totalsize} bytes`
      : `${head}: no device tree`;
  }
  if (structure !== undefined && fields !== undefined) {
    const words = Object.entries(structure.fields)
      .filter(([name, row]) => row.type in { u8: 1, u16: 1, u32: 1, u64: 1 } && name in fields)
      .map(([name, row]) =>
        `${name} ${meaning(row, fields[name]) ?? hex(fields[name] as number | bigint)}`
      );
    return `${head}: ${words.join(", ")}`;
  }
  return head;
}
