/**
 * EDD: what the BIOS said about each disk (Enhanced Disk Drive, int 13h).
 *
 * The setup code asks for drives 0x80 on and leaves up to six answers and up to
 * sixteen MBR signatures in the zero page, so that the kernel can tell which of
 * its disks the BIOS booted from. Where the disk hangs is told twice, by the bus
 * and by the interface; both are unions whose view depends on a name of letters
 * beside them.
 *
 * Source: include/uapi/linux/edd.h; T13 BIOS Enhanced Disk Drive Services 3.0.
 *
 * @module
 */

import { hex } from "./errors.ts";
import { type AnyRecord, ascii, decode, type Decoded, type Structure } from "./layout.ts";

const letters = (bytes: Uint8Array): string => ascii(bytes).trimEnd();

/** Bits of `edd_info.interface_support`. */
export const eddSupport = {
  0: "EDD_EXT_FIXED_DISK_ACCESS",
  1: "EDD_EXT_DEVICE_LOCKING_AND_EJECTING",
  2: "EDD_EXT_ENHANCED_DISK_DRIVE_SUPPORT",
  3: "EDD_EXT_64BIT_EXTENSIONS",
} as const;

/** Bits of `edd_device_params.info_flags`. */
export const eddInfoFlags = {
  0: "EDD_INFO_DMA_BOUNDARY_ERROR_TRANSPARENT",
  1: "EDD_INFO_GEOMETRY_VALID",
  2: "EDD_INFO_REMOVABLE",
  3: "EDD_INFO_WRITE_VERIFY",
  4: "EDD_INFO_MEDIA_CHANGE_NOTIFICATION",
  5: "EDD_INFO_LOCKABLE",
  6: "EDD_INFO_NO_MEDIA_PRESENT",
  7: "EDD_INFO_USE_INT13_FN50",
} as const;

/** struct edd_device_params, 74 bytes: the answer to int 13h AH=48h. */
export const eddDeviceParams = {
  name: "edd_device_params",
  size: 74,
  fields: {
    length: { at: 0x00, type: "u16", doc: "Bytes of this answer that the BIOS filled in." },
    info_flags: {
      at: 0x02,
      type: "u16",
      doc: "What the drive is and can.",
      bits: eddInfoFlags,
    },
    num_default_cylinders: { at: 0x04, type: "u32", doc: "Cylinders." },
    num_default_heads: { at: 0x08, type: "u32", doc: "Heads." },
    sectors_per_track: { at: 0x0c, type: "u32", doc: "Sectors of a track." },
    number_of_sectors: { at: 0x10, type: "u64", doc: "Sectors of the whole drive." },
    bytes_per_sector: { at: 0x18, type: "u16", doc: "Bytes of a sector." },
    dpte_ptr: {
      at: 0x1a,
      type: "u32",
      doc: "Real-mode far pointer to the device parameter table extension; 0xffffffff none.",
      show: (n: number): string =>
        n === 0xffffffff ? "none" : `${hex(n >>> 16, 4)}:${hex(n & 0xffff, 4)}`,
    },
    key: {
      at: 0x1e,
      type: "u16",
      doc: "0xbedd where the device path below is there.",
      show: (n: number): string => n === 0xbedd ? "device path follows" : "no device path",
    },
    device_path_info_length: { at: 0x20, type: "u8", doc: "Bytes of path from key on, 36 or 44." },
    reserved2: { at: 0x21, type: "pad", size: 1, doc: "Reserved." },
    reserved3: { at: 0x22, type: "pad", size: 2, doc: "Reserved." },
    host_bus_type: {
      at: 0x24,
      type: "bytes",
      size: 4,
      doc: 'Bus of the controller in letters, filled with spaces: "PCI ", "ISA ".',
      show: (bytes: Uint8Array): string => letters(bytes),
    },
    interface_type: {
      at: 0x28,
      type: "bytes",
      size: 8,
      doc: 'Interface of the drive in letters, filled with spaces: "ATA     ".',
      show: (bytes: Uint8Array): string => letters(bytes),
    },
    interface_path: {
      at: 0x30,
      type: "bytes",
      size: 8,
      doc: "Union: where the controller is; its view depends on host_bus_type.",
    },
    device_path: {
      at: 0x38,
      type: "bytes",
      size: 16,
      doc: "Union: which drive at the controller; its view depends on interface_type.",
    },
    reserved4: { at: 0x48, type: "pad", size: 1, doc: "Reserved." },
    checksum: { at: 0x49, type: "u8", doc: "Makes the bytes from key on add up to 0." },
  },
} as const satisfies Structure;

/** A decoded answer to int 13h AH=48h. */
export type EddDeviceParams = Decoded<typeof eddDeviceParams>;

/** struct edd_info, 82 bytes: one BIOS drive. */
export const eddInfo = {
  name: "edd_info",
  size: 82,
  fields: {
    device: {
      at: 0x00,
      type: "u8",
      doc: "BIOS drive number, from 0x80.",
      show: (n: number): string => hex(n, 2),
    },
    version: {
      at: 0x01,
      type: "u8",
      doc: "EDD version as int 13h AH=41h tells: 0x21 is 1.1, 0x30 is 3.0.",
      values: { 0x01: "1.x", 0x20: "2.0 / EDD-1.0", 0x21: "2.1 / EDD-1.1", 0x30: "EDD-3.0" },
    },
    interface_support: {
      at: 0x02,
      type: "u16",
      doc: "Sets of calls the drive supports.",
      bits: eddSupport,
    },
    legacy_max_cylinder: { at: 0x04, type: "u16", doc: "Highest cylinder by int 13h AH=08h." },
    legacy_max_head: { at: 0x06, type: "u8", doc: "Highest head by int 13h AH=08h." },
    legacy_sectors_per_track: {
      at: 0x07,
      type: "u8",
      doc: "Sectors of a track by int 13h AH=08h.",
    },
    params: {
      at: 0x08,
      type: "struct",
      of: eddDeviceParams,
      doc: "The drive's parameters by int 13h AH=48h.",
    },
  },
} as const satisfies Structure;

/** A decoded BIOS drive. */
export type EddInfo = Decoded<typeof eddInfo>;

const reserved8 = (name: string): Structure => ({
  name,
  size: 8,
  fields: { reserved: { at: 0, type: "u64", doc: "Reserved." } },
});

/** The views of `interface_path`, by the letters of `host_bus_type`. */
export const eddInterfacePaths: Readonly<Record<string, Structure>> = {
  ISA: {
    name: "isa",
    size: 8,
    fields: {
      base_address: {
        at: 0,
        type: "u16",
        doc: "I/O port.",
        show: (n: number): string => hex(n, 4),
      },
      reserved1: { at: 2, type: "pad", size: 2, doc: "Reserved." },
      reserved2: { at: 4, type: "pad", size: 4, doc: "Reserved." },
    },
  },
  PCI: {
    name: "pci",
    size: 8,
    fields: {
      bus: { at: 0, type: "u8", doc: "PCI bus." },
      slot: { at: 1, type: "u8", doc: "PCI slot." },
      function: { at: 2, type: "u8", doc: "PCI function." },
      channel: { at: 3, type: "u8", doc: "Channel of the controller; 0xff none." },
      reserved: { at: 4, type: "pad", size: 4, doc: "Reserved." },
    },
  },
  IBND: reserved8("ibnd"),
  XPRS: reserved8("xprs"),
  HTPT: reserved8("htpt"),
};

const ata: Structure = {
  name: "ata",
  size: 16,
  fields: {
    device: { at: 0, type: "u8", doc: "0 master, 1 slave.", values: { 0: "master", 1: "slave" } },
    reserved1: { at: 1, type: "pad", size: 1, doc: "Reserved." },
    reserved2: { at: 2, type: "pad", size: 2, doc: "Reserved." },
    reserved3: { at: 4, type: "pad", size: 4, doc: "Reserved." },
    reserved4: { at: 8, type: "pad", size: 8, doc: "Reserved." },
  },
};

const identified = (name: string, field: string, doc: string): Structure => ({
  name,
  size: 16,
  fields: {
    [field]: { at: 0, type: "u64", doc },
    reserved: { at: 8, type: "pad", size: 8, doc: "Reserved." },
  },
});

/** The views of `device_path`, by the letters of `interface_type`. */
export const eddDevicePaths: Readonly<Record<string, Structure>> = {
  ATA: ata,
  ATAPI: {
    name: "atapi",
    size: 16,
    fields: {
      device: { at: 0, type: "u8", doc: "0 master, 1 slave.", values: { 0: "master", 1: "slave" } },
      lun: { at: 1, type: "u8", doc: "Logical unit." },
      reserved1: { at: 2, type: "pad", size: 1, doc: "Reserved." },
      reserved2: { at: 3, type: "pad", size: 1, doc: "Reserved." },
      reserved3: { at: 4, type: "pad", size: 4, doc: "Reserved." },
      reserved4: { at: 8, type: "pad", size: 8, doc: "Reserved." },
    },
  },
  SCSI: {
    name: "scsi",
    size: 16,
    fields: {
      id: { at: 0, type: "u16", doc: "SCSI id." },
      lun: { at: 2, type: "u64", doc: "Logical unit." },
      reserved1: { at: 10, type: "pad", size: 2, doc: "Reserved." },
      reserved2: { at: 12, type: "pad", size: 4, doc: "Reserved." },
    },
  },
  USB: identified("usb", "serial_number", "Serial number of the device."),
  "1394": identified("i1394", "eui", "64-bit identifier of the device."),
  FIBRE: {
    name: "fibre",
    size: 16,
    fields: {
      wwid: { at: 0, type: "u64", doc: "World-wide identifier." },
      lun: { at: 8, type: "u64", doc: "Logical unit." },
    },
  },
  I2O: identified("i2o", "identity_tag", "Identity tag."),
  RAID: {
    name: "raid",
    size: 16,
    fields: {
      array_number: { at: 0, type: "u32", doc: "Number of the array." },
      reserved1: { at: 4, type: "pad", size: 4, doc: "Reserved." },
      reserved2: { at: 8, type: "pad", size: 8, doc: "Reserved." },
    },
  },
  SATA: { ...ata, name: "sata" },
};

/** One of the two paths, seen through the view its letters choose. */
export interface EddPath {
  /** The letters that chose the view, without the spaces behind them. */
  readonly type: string;
  /** The view's table; absent where the letters name none. */
  readonly view?: Structure;
  /** The fields of that view. */
  readonly fields?: AnyRecord;
}

/** Where the drive is: by the bus of its controller, and at the controller. */
export interface EddPaths {
  /** `interface_path` through the view of `host_bus_type`. */
  readonly interface: EddPath;
  /** `device_path` through the view of `interface_type`. */
  readonly device: EddPath;
}

function through(
  views: Readonly<Record<string, Structure>>,
  name: Uint8Array,
  bytes: Uint8Array,
): EddPath {
  const type = letters(name);
  const view = Object.hasOwn(views, type) ? views[type] : undefined;
  return view === undefined ? { type } : { type, view, fields: decode(view, bytes) };
}

/**
 * The paths of a drive, each through the view its letters choose; `undefined`
 * where the BIOS gave none (`key` is not 0xbedd).
 */
export function eddPaths(params: EddDeviceParams): EddPaths | undefined {
  if (params.key !== 0xbedd) return undefined;
  return {
    interface: through(eddInterfacePaths, params.host_bus_type, params.interface_path),
    device: through(eddDevicePaths, params.interface_type, params.device_path),
  };
}

/** The paths of a drive in words: `PCI bus 0 slot 31 function 2, SATA device 0`. */
export function showEddPaths(params: EddDeviceParams): string {
  const paths = eddPaths(params);
  if (paths === undefined) return "no path told";
  return [paths.interface, paths.device].map(showPath).join(", ");
}

function showPath({ type, view, fields }: EddPath): string {
  if (view === undefined || fields === undefined) {
    return type ? `${type} (no such view)` : "unnamed";
  }
  const words = Object.entries(view.fields)
    .filter(([name, row]) => row.type !== "pad" && !name.startsWith("reserved"))
    .map(([name, row]) => `${name} ${row.values?.[Number(fields[name])] ?? String(fields[name])}`);
  return [type, ...words].join(" ");
}
