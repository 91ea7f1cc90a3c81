/**
 * Numbers and names of the processor: exceptions, segments, and the bits of flags
 * and control registers.
 *
 * Source: Intel SDM vol. 3A, 2.5, 3.4.5, 6.3; vol. 1, 3.4.3.
 *
 * @module
 */

/** Exceptions by vector. */
export const vectors = {
  ...{ DE: 0, DB: 1, NMI: 2, BP: 3, OF: 4, BR: 5, UD: 6, NM: 7, DF: 8, TS: 10, NP: 11, SS: 12 },
  ...{ GP: 13, PF: 14, MF: 16, AC: 17, MC: 18, XM: 19 },
} as const;

/** Thrown where an instruction raises an exception; it has changed nothing then. Not an Error: no stack is taken. */
export class Fault {
  /**
   * An exception.
   *
   * @param vector Its vector; see {@link vectors}.
   * @param errorCode Pushed behind the frame, where the exception has one.
   * @param address For a page fault the linear address, which goes to CR2 on delivery.
   */
  constructor(
    readonly vector: number,
    readonly errorCode?: number,
    readonly address?: number,
  ) {}
}

/** #GP with an error code. */
export const generalProtection = (errorCode = 0): Fault => new Fault(vectors.GP, errorCode);
/** #UD. */
export const undefinedOpcode = (): Fault => new Fault(vectors.UD);

/** Segment registers by number. */
export const segmentNumbers = { ES: 0, CS: 1, SS: 2, DS: 3, FS: 4, GS: 5, LDTR: 6, TR: 7 } as const;

/**
 * Attributes of a segment, as bits 8 to 23 of a descriptor's second word have
 * them: type in bits 0 to 3, S bit 4, DPL bits 5 and 6, P bit 7, AVL bit 12, L
 * bit 13, D/B bit 14, G bit 15.
 */
export const attribute = {
  accessed: 1,
  /** Data: writable. Code: readable. */
  writable: 2,
  /** Data: expands down. Code: conforming. */
  expandDown: 4,
  code: 8,
  /** Code or data, not a system descriptor. */
  s: 0x10,
  dplShift: 5,
  present: 0x80,
  long: 0x2000,
  big: 0x4000,
  granular: 0x8000,
  /** Ours: loaded with a null selector; any use faults. */
  unusable: 0x10000,
} as const;

/** Bits of EFLAGS. */
export const eflag = {
  ...{ CF: 1, PF: 4, AF: 0x10, ZF: 0x40, SF: 0x80, TF: 0x100, IF: 0x200, DF: 0x400, OF: 0x800 },
  ...{ IOPL: 0x3000, NT: 0x4000, RF: 0x10000, VM: 0x20000, AC: 0x40000, VIF: 0x80000 },
  ...{ VIP: 0x100000, ID: 0x200000 },
} as const;

/** Bits of CR0. */
export const cr0Bits = {
  ...{ PE: 1, MP: 2, EM: 4, TS: 8, ET: 0x10, NE: 0x20, WP: 0x10000, AM: 0x40000 },
  ...{ NW: 0x20000000, CD: 0x40000000, PG: 0x80000000 },
} as const;
/** Bits of CR4. */
export const cr4Bits = {
  ...{ VME: 1, PVI: 2, TSD: 4, DE: 8, PSE: 0x10, PAE: 0x20, MCE: 0x40, PGE: 0x80, PCE: 0x100 },
  ...{ OSFXSR: 0x200, OSXMMEXCPT: 0x400, UMIP: 0x800, FSGSBASE: 0x10000, PCIDE: 0x20000 },
  ...{ OSXSAVE: 0x40000, SMEP: 0x100000, SMAP: 0x200000 },
} as const;
/** Bits of EFER. */
export const eferBits = { SCE: 1, LME: 0x100, LMA: 0x400, NXE: 0x800 } as const;

/**
 * The mode word that decoded code depends on: width of the code (0 16, 1 32, 2
 * 64), a stack of 32 bits, segments ES, CS, SS and DS that are flat, CPL 3.
 */
export const modeKey = { width: 3, stack32: 4, flat: 8, user: 16 } as const;
