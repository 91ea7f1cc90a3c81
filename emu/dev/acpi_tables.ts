/**
 * The ACPI tables a firmware would leave: what the machine has, for kernels that
 * do not probe.
 *
 * RSDP, RSDT and XSDT lead to FADT (power, timer, reset), FACS, MADT (the
 * APICs), HPET, and the DSDT, whose byte code names the sleep state for "off", the
 * serial port and the PCI root.
 *
 * Source: ACPI specification 6.4, chapters 5, 19 and 20. The byte code is
 * written by the few encoders at the end of this file.
 *
 * @module
 */

import { pmBase, pmControlPort, pmTimerPort, sleepTypeOff } from "./acpi_pm.ts";
import { hpetBase, hpetId } from "./hpet.ts";
import { ioApicBase } from "./ioapic.ts";

/** The interrupt through which ACPI itself speaks. */
export const sciIrq = 9;
/** Where PCI's four interrupt lines end: on interrupts 10 and 11, in turns. */
export const pciIrqs = [10, 11, 10, 11] as const;

/** What the tables are to describe. */
export interface AcpiOptions {
  /** Physical address at which the tables will lie; a multiple of 64. */
  readonly base: number;
  /** Identifiers of the local APICs, the boot processor's first; none if there are none. */
  readonly localApics: readonly number[];
  /** Identifier of the I/O APIC; absent if there is none. */
  readonly ioApic?: number;
  /** There is an HPET. */
  readonly hpet?: boolean;
  /** There is a PCI bus. */
  readonly pci?: boolean;
  /** There is a keyboard controller. */
  readonly i8042?: boolean;
  /** There is a VGA. */
  readonly vga?: boolean;
}

/**
 * The tables, to be copied to their base. The RSDP is the first.
 *
 * @returns Less than 4 KiB.
 */
export function acpiTables(options: AcpiOptions): Uint8Array {
  const blocks: { at: number; bytes: Uint8Array }[] = [];
  let end = options.base + 64;
  /** Puts a table behind the ones before it. */
  const place = (bytes: readonly number[] | Uint8Array, align = 16): number => {
    const at = Math.ceil(end / align) * align;
    blocks.push({ at, bytes: Uint8Array.from(bytes) });
    end = at + bytes.length;
    return at;
  };
  const facs = place([...ascii("FACS"), ...u32(64), ...zeroes(24), 2, ...zeroes(31)], 64);
  const dsdt = place(table("DSDT", 2, dsdtCode(options)));
  const tables = [place(table("FACP", 4, fadt(options, facs, dsdt)))];
  if (options.localApics.length > 0) tables.push(place(table("APIC", 3, madt(options))));
  if (options.hpet === true) tables.push(place(table("HPET", 1, hpetTable())));
  const rsdt = place(table("RSDT", 1, tables.flatMap((at) => u32(at))));
  const xsdt = place(table("XSDT", 1, tables.flatMap((at) => u64(at))));
  blocks.push({ at: options.base, bytes: rsdp(rsdt, xsdt) });
  const all = new Uint8Array(end - options.base);
  for (const { at, bytes } of blocks) all.set(bytes, at - options.base);
  return all;
}

const oem = "ZEROPG";

function rsdp(rsdt: number, xsdt: number): Uint8Array {
  const bytes = Uint8Array.from([
    ...ascii("RSD PTR "),
    0, // sum of the first 20 bytes
    ...ascii(oem),
    2, // revision: with XSDT
    ...u32(rsdt),
    ...u32(36),
    ...u64(xsdt),
    0, // sum of all
    ...zeroes(3),
  ]);
  bytes[8] = complement(bytes.subarray(0, 20));
  bytes[32] = complement(bytes);
  return bytes;
}

/** A header, with its sum, before the table's own part. */
function table(signature: string, revision: number, body: readonly number[]): Uint8Array {
  const bytes = Uint8Array.from([
    ...ascii(signature),
    ...u32(36 + body.length),
    revision,
    0,
    ...ascii(oem),
    ...ascii("MACHINE "),
    ...u32(1),
    ...ascii("ZPGE"),
    ...u32(1),
    ...body,
  ]);
  bytes[9] = complement(bytes);
  return bytes;
}

function fadt(options: AcpiOptions, facs: number, dsdt: number): number[] {
  const ports = (first: number, bits: number, width: number) => [
    1,
    bits,
    0,
    width,
    ...u64(first),
  ];
  const none = zeroes(12);
  // Legacy devices on the board; keyboard controller; no VGA to be looked for.
  const bootFlags = 1 | (options.i8042 === true ? 2 : 0) | (options.vga === true ? 0 : 4);
  // WBINVD works; C1 works; power button fixed, sleep button not; the
  // reset register is there.
  const flags = 1 << 0 | 1 << 2 | 1 << 5 | 1 << 10;
  return [
    ...u32(facs),
    ...u32(dsdt),
    0, // reserved
    0, // profile: unspecified
    ...u16(sciIrq),
    ...u32(0), // no SMI command port: always in ACPI mode
    ...[0, 0, 0, 0], // ACPI enable, disable, S4BIOS, P-state control
    ...u32(pmBase),
    ...u32(0),
    ...u32(pmControlPort),
    ...u32(0),
    ...u32(0),
    ...u32(pmTimerPort),
    ...u32(0),
    ...u32(0),
    ...[4, 2, 0, 4, 0, 0, 0, 0], // lengths of the blocks
    ...u16(0xfff), // C2 and C3 latencies too long to be used
    ...u16(0xfff),
    ...u16(0),
    ...u16(0),
    ...[0, 0], // duty cycle
    ...[0, 0, 0x32], // alarm day, alarm month, century in the CMOS
    ...u16(bootFlags),
    0,
    ...u32(flags),
    ...ports(0xcf9, 8, 1), // reset register
    0x0e, // its value
    ...u16(0),
    0,
    ...u64(facs),
    ...u64(dsdt),
    ...ports(pmBase, 32, 2),
    ...none,
    ...ports(pmControlPort, 16, 2),
    ...none,
    ...none,
    ...ports(pmTimerPort, 32, 3),
    ...none,
    ...none,
  ];
}

function madt({ localApics, ioApic }: AcpiOptions): number[] {
  /** An ISA interrupt that is not simply wired to the input of its number. */
  const override = (irq: number, input: number, flags: number) => [
    ...[2, 10, 0, irq],
    ...u32(input),
    ...u16(flags),
  ];
  const levelHigh = 0x000d;
  return [
    ...u32(0xfee0_0000),
    ...u32(1), // the PC's pair of controllers is there too
    ...localApics.flatMap((id, i) => [0, 8, i, id, ...u32(1)]),
    ...(ioApic === undefined ? [] : [
      ...[1, 12, ioApic, 0],
      ...u32(ioApicBase),
      ...u32(0),
      ...override(0, 2, 0),
      ...[sciIrq, ...new Set(pciIrqs)].flatMap((irq) => override(irq, irq, levelHigh)),
    ]),
    ...[4, 6, 0xff, 0, 0, 1], // LINT1 of every processor is NMI
  ];
}

function hpetTable(): number[] {
  // The shortest period a guest should use: 128 ticks.
  return [...u32(hpetId), 0, 64, 0, 0, ...u64(hpetBase), 0, ...u16(128), 0];
}

/** The DSDT's byte code. */
function dsdtCode({ pci, i8042 }: AcpiOptions): number[] {
  const serial = device("COM1", [
    ...name("_HID", eisaId("PNP0501")),
    ...name("_UID", integer(1)),
    ...name("_CRS", resources([...portRange(0x3f8, 0x3f8, 8), ...irqs(4)])),
  ]);
  const clock = device("RTC0", [
    ...name("_HID", eisaId("PNP0B00")),
    ...name("_CRS", resources([...portRange(0x70, 0x70, 2), ...irqs(8)])),
  ]);
  const keyboard = device("KBD0", [
    ...name("_HID", eisaId("PNP0303")),
    ...name(
      "_CRS",
      resources([...portRange(0x60, 0x60, 1), ...portRange(0x64, 0x64, 1), ...irqs(1)]),
    ),
  ]);
  const onBoard = [...serial, ...clock, ...(i8042 === true ? keyboard : [])];
  return [
    ...name("_S5_", packageOf([integer(sleepTypeOff), integer(sleepTypeOff), [0], [0]])),
    ...scope("_SB_", pci === true ? device("PCI0", [...pciRoot(), ...onBoard]) : onBoard),
  ];
}

function pciRoot(): number[] {
  // Device numbers 0 to 31, pins A to D: a fixed interrupt each.
  const routing = Array.from({ length: 128 }, (_, i) => {
    const [slot, pin] = [i >> 2, i & 3];
    const irq = pciIrqs[slot + pin & 3] ?? pciIrqs[0];
    return packageOf([integer(slot * 0x1_0000 + 0xffff), integer(pin), [0], integer(irq)]);
  });
  return [
    ...name("_HID", eisaId("PNP0A03")),
    ...name("_UID", integer(0)),
    ...name(
      "_CRS",
      resources([
        ...addressSpace16(2, 0, 0, 0xff), // buses
        ...portRange(0xcf8, 0xcf8, 8),
        ...addressSpace16(1, 3, 0, 0xcf7), // ports
        ...addressSpace16(1, 3, 0xd00, 0xffff),
        ...addressSpace32(0xe000_0000, 0xfebf_ffff), // memory
      ]),
    ),
    ...name("_PRT", packageOf(routing)),
  ];
}

// Resource descriptors: chapter 6.4.

function portRange(first: number, last: number, count: number): number[] {
  return [0x47, 1, ...u16(first), ...u16(last), 1, count];
}

function irqs(irq: number): number[] {
  return [0x22, ...u16(1 << irq)];
}

/** Buses (2) or ports (1): from, to, and all that lies between is handed down. */
function addressSpace16(kind: number, flags: number, first: number, last: number): number[] {
  const range = [...u16(0), ...u16(first), ...u16(last), ...u16(0), ...u16(last - first + 1)];
  return [0x88, ...u16(13), kind, 0x0c, flags, ...range];
}

function addressSpace32(first: number, last: number): number[] {
  const range = [...u32(0), ...u32(first), ...u32(last), ...u32(0), ...u32(last - first + 1)];
  return [0x87, ...u16(23), 0, 0x0c, 0x01, ...range];
}

// Byte code: chapter 20.

/** Length of a block, itself included, in front of it. */
function measured(body: readonly number[]): number[] {
  if (body.length + 1 < 0x40) return [body.length + 1, ...body];
  if (body.length + 2 < 0x1000) {
    const length = body.length + 2;
    return [0x40 | length & 15, length >> 4, ...body];
  }
  const length = body.length + 3;
  return [0x80 | length & 15, length >> 4 & 0xff, length >> 12, ...body];
}

function integer(value: number): number[] {
  if (value < 2) return [value];
  if (value < 0x100) return [0x0a, value];
  if (value < 0x1_0000) return [0x0b, ...u16(value)];
  return [0x0c, ...u32(value)];
}

function name(segment: string, value: readonly number[]): number[] {
  return [0x08, ...ascii(segment), ...value];
}

function scope(path: string, body: readonly number[]): number[] {
  return [0x10, ...measured([...ascii(path), ...body])];
}

function device(segment: string, body: readonly number[]): number[] {
  return [0x5b, 0x82, ...measured([...ascii(segment), ...body])];
}

function packageOf(elements: readonly (readonly number[])[]): number[] {
  return [0x12, ...measured([elements.length, ...elements.flat()])];
}

/** A buffer of descriptors, closed by the end tag; a sum of 0 is taken as right. */
function resources(descriptors: readonly number[]): number[] {
  const bytes = [...descriptors, 0x79, 0];
  return [0x11, ...measured([...integer(bytes.length), ...bytes])];
}

/** Three letters of five bits and four hexadecimal digits, the upper byte first. */
function eisaId(id: string): number[] {
  const letters = [...id.slice(0, 3)].map((letter) => letter.charCodeAt(0) - 0x40);
  const packed = letters.reduce((bits, letter) => bits << 5 | letter, 0);
  const product = Number.parseInt(id.slice(3), 16);
  return [0x0c, packed >> 8, packed & 0xff, product >> 8, product & 0xff];
}

function ascii(text: string): number[] {
  return [...text].map((letter) => letter.charCodeAt(0));
}

function zeroes(count: number): number[] {
  return Array.from({ length: count }, () => 0);
}

function u16(value: number): number[] {
  return [value & 0xff, value >> 8 & 0xff];
}

function u32(value: number): number[] {
  return [...u16(value & 0xffff), ...u16(value >>> 16)];
}

function u64(value: number): number[] {
  return [...u32(value), ...u32(Math.floor(value / 0x1_0000_0000))];
}

/** What makes the sum of the bytes 0. */
function complement(bytes: Uint8Array): number {
  return -bytes.reduce((a, b) => a + b, 0) & 0xff;
}
