/**
 * The state in which a processor is handed to a kernel, by the boot protocol.
 *
 * | entry  | mode                        | segments               | points to the zero page |
 * | ------ | --------------------------- | ---------------------- | ----------------------- |
 * | 16-bit | real                        | all at the boot sector | nothing: it makes one   |
 * | 32-bit | protected, paging off       | 0x10 code, 0x18 data   | ESI                     |
 * | 64-bit | long, identity-mapped       | 0x10 code, 0x18 data   | RSI                     |
 *
 * Interrupts are off in all of them. Everything the protocol does not name is 0.
 *
 * Source: Documentation/arch/x86/boot.rst, "32-bit Boot Protocol" and after.
 *
 * @module
 */

/** A segment register: the selector and what its descriptor said. */
export interface SegmentState {
  /** The selector. */
  readonly selector: number;
  /** Base address. */
  readonly base: number;
  /** The last offset, in bytes. */
  readonly limit: number;
  /** Bits 8 to 23 of the descriptor's second word. */
  readonly attributes: number;
}

/** General registers by number: RAX 0, RCX 1, RDX 2, RBX 3, RSP 4, RBP 5, RSI 6, RDI 7. */
export const registerNumbers = {
  ...{ rax: 0, rcx: 1, rdx: 2, rbx: 3, rsp: 4, rbp: 5, rsi: 6, rdi: 7 },
} as const;

/** A processor at a kernel's entry. */
export interface EntryState {
  /** Width of the code. */
  readonly bits: 16 | 32 | 64;
  /** General registers that are not 0. */
  readonly registers: Readonly<Partial<Record<keyof typeof registerNumbers, number>>>;
  /** Where execution starts: an offset in the code segment. */
  readonly rip: number;
  /** EFLAGS. */
  readonly eflags: number;
  /** CR0. */
  readonly cr0: number;
  /** CR3: physical address of the page tables. */
  readonly cr3: number;
  /** CR4. */
  readonly cr4: number;
  /** EFER. */
  readonly efer: number;
  /** The code segment. */
  readonly code: SegmentState;
  /** ES, SS, DS, FS and GS. */
  readonly data: SegmentState;
  /** The global descriptor table. */
  readonly gdtr: { readonly base: number; readonly limit: number };
  /** The interrupt descriptor table; without entries but for real mode, whose table is at 0. */
  readonly idtr: { readonly base: number; readonly limit: number };
}

/** What differs from loader to loader. */
export interface EntryWishes {
  /** Selector of the code segment; the protocol's is 0x10. */
  readonly code: number;
  /** Selector of the data segments; the protocol's is 0x18. */
  readonly data: number;
  /** Where stack pointer and frame pointer are, if the frame pointer is the stack pointer. */
  readonly stack?: number;
}

/** What the boot protocol says. */
export const protocolSegments: EntryWishes = { code: 0x10, data: 0x18 };

const CODE = 0x9b;
const DATA = 0x93;
const BIG = 0x4000;
const LONG = 0x2000;
const GRANULAR = 0x8000;
const reserved = 2;
const cr0 = { PE: 1, ET: 0x10, PG: 0x8000_0000 } as const;
const PAE = 0x20;
const efer = { LME: 0x100, LMA: 0x400 } as const;

/** Flat segments: base 0, limit 4 GiB. */
function flat(selector: number, attributes: number): SegmentState {
  return { selector, base: 0, limit: 0xffff_ffff, attributes: attributes | GRANULAR };
}

/** The global descriptor table for an entry of 32 or 64 bits, with nothing but the two segments. */
export function encodeGdt(bits: 32 | 64, { code, data }: EntryWishes): Uint8Array {
  const bytes = new Uint8Array(Math.max(code, data) + 8);
  const view = new DataView(bytes.buffer);
  const descriptor = (selector: number, attributes: number) => {
    // Base 0, limit 0xfffff pages: the attributes go around the limit's upper bits.
    view.setUint32(selector, 0x0000_ffff, true);
    view.setUint32(selector + 4, attributes << 8 | 0xf_0000, true);
  };
  descriptor(code, CODE | (bits === 64 ? LONG : BIG) | GRANULAR);
  descriptor(data, DATA | BIG | GRANULAR);
  return bytes;
}

/** Bytes of {@link encodeIdentityMap}. */
export const IDENTITY_MAP_SIZE = 6 * 0x1000;

/**
 * Page tables that map the first 4 GiB to themselves, in pages of 2 MiB: one
 * PML4, one directory pointer table, four directories.
 *
 * @param at Physical address at which they will lie.
 */
export function encodeIdentityMap(at: number): Uint8Array {
  const bytes = new Uint8Array(IDENTITY_MAP_SIZE);
  const view = new DataView(bytes.buffer);
  const present = 3; // and writable
  const large = 0x80;
  view.setUint32(0, at + 0x1000 | present, true);
  for (let i = 0; i < 4; i++) view.setUint32(0x1000 + 8 * i, at + 0x1000 * (2 + i) | present, true);
  for (let i = 0; i < 4 * 512; i++) view.setUint32(0x2000 + 8 * i, i << 21 | large | present, true);
  return bytes;
}

// Tour machine 010
//
// What a loader promises at the 32-bit entry, as registers: protected mode, no
// paging, flat segments, interrupts off, and in ESI the zero page. Everything else
// the kernel makes for itself.
/** Protected mode without paging. */
export function state32(
  entry: number,
  zeroPage: number,
  gdt: number,
  wishes: EntryWishes = protocolSegments,
): EntryState {
  return {
    bits: 32,
    registers: { rsi: zeroPage, rsp: wishes.stack ?? zeroPage, rbp: wishes.stack ?? 0 },
    rip: entry,
    eflags: reserved,
    cr0: cr0.PE | cr0.ET,
    cr3: 0,
    cr4: 0,
    efer: 0,
    code: flat(wishes.code, CODE | BIG),
    data: flat(wishes.data, DATA | BIG),
    gdtr: { base: gdt, limit: Math.max(wishes.code, wishes.data) + 7 },
    idtr: { base: 0, limit: 0 },
  };
}

/** Long mode over page tables that map low memory to itself. */
export function state64(
  entry: number,
  zeroPage: number,
  gdt: number,
  pageTables: number,
  wishes: EntryWishes = protocolSegments,
): EntryState {
  return {
    ...state32(entry, zeroPage, gdt, wishes),
    bits: 64,
    cr0: cr0.PG + cr0.PE + cr0.ET,
    cr3: pageTables,
    cr4: PAE,
    efer: efer.LME | efer.LMA,
    code: flat(wishes.code, CODE | LONG),
  };
}

/** Real mode: at the setup code, whose first byte is at 0x200 behind the boot sector's. */
export function state16(base: number, stack: number): EntryState {
  const segment = (selector: number, attributes: number): SegmentState => ({
    selector,
    base: selector * 16,
    limit: 0xffff,
    attributes,
  });
  return {
    bits: 16,
    registers: { rsp: stack },
    rip: 0,
    eflags: reserved,
    cr0: cr0.ET,
    cr3: 0,
    cr4: 0,
    efer: 0,
    code: segment(base / 16 + 0x20, CODE),
    data: segment(base / 16, DATA),
    gdtr: { base: 0, limit: 0xffff },
    idtr: { base: 0, limit: 0x3ff },
  };
}
