/**
 * Where everything lies in the machine's one WebAssembly memory: the processor's
 * state, its translation buffers, decoded code, and guest memory behind.
 *
 * Generated code and TypeScript both go by this table. Addresses are bytes from
 * the start of the memory; registers of 64 bits are little endian, as all of it.
 *
 * @module
 */

/** Two vectors that generated code hands to TypeScript, 16 bytes each. */
export const VECTOR_OPERANDS = 0x40;
/** The vector that it gets back. */
export const VECTOR_RESULT = 0x60;

/** General registers, 8 bytes each, RAX to R15. */
export const REGISTERS = 0x100;
/** Slot 16: always zero, for an address without base or index. */
export const SLOT_ZERO = 16;
/** Slot 17: RIP of the first byte of the page that is being executed; see {@link Micro-operations}. */
export const SLOT_CODE = 17;
/** Slots 18 to 23: bases of ES, CS, SS, DS, FS, GS, 8 bytes each. */
export const SLOT_BASES = 18;

/** The instruction pointer, 8 bytes; exact whenever TypeScript runs. */
export const RIP = 0x1c0;
/** Instructions that may still retire in this slice, signed. */
export const BUDGET = 0x1c8;
/** Last result, sign-extended to 64 bits: ZF, SF and PF are read off it. */
export const FLAG_RESULT = 0x1d0;
/**
 * The other flags and corrections: bit 31 CF, bit 30 CF xor OF, bit 3 AF, bit 0
 * inverts SF, bits 15 to 8 are xored to the result's low byte before its parity.
 */
export const FLAG_AUX = 0x1d8;
/** EFLAGS without the six status flags; bit 1 is set. */
export const FLAGS_OTHER = 0x1dc;
/** Privilege level, 0 to 3. */
export const CPL = 0x1e0;
/** Mode word that code was decoded for; see `modeKey` in processor_bits.ts. */
export const MODE_KEY = 0x1e4;
/** Byte address of the translation buffers of the current privilege level. */
export const TLB_NOW = 0x1e8;
/** What CR0 and CR4 keep from being used: bit 0 SSE, bit 1 MMX. */
export const VECTOR_BLOCKED = 0x1f0;
/** Generations of code mappings, tag of the jump cache's entries, in steps of 256: lower half of the address space, upper half. */
export const CODE_GENERATION = 0x1f8;

/** Six segment registers, 32 bytes each: limit +0, attributes +4, selector +8. Their bases are slots. */
export const SEGMENTS = 0x200;
/** Bytes a segment register. */
export const SEGMENT_SIZE = 32;

/** XMM0 to XMM15, 16 bytes each. */
export const XMM = 0x300;
/** MXCSR. */
export const MXCSR = 0x400;
/** x87: control word, status word without TOP, TOP (0 to 7), tag bits (bit n set: register n is not empty). */
export const FPU_CONTROL = 0x404;
/** x87 status word without TOP. */
export const FPU_STATUS = 0x408;
/** x87 TOP. */
export const FPU_TOP = 0x40c;
/** x87 tags, abridged: bit n set where physical register n is not empty. */
export const FPU_TAGS = 0x410;
/** x87 last opcode (11 bits). */
export const FPU_OPCODE = 0x414;
/** x87 last instruction's address and selector (8 + 4 bytes). */
export const FPU_IP = 0x418;
/** Selector of it. */
export const FPU_CS = 0x420;
/** x87 last operand's selector. */
export const FPU_DS = 0x424;
/** x87 last operand's address (8 bytes). */
export const FPU_DP = 0x428;
/** Physical x87 registers 0 to 7, 16 bytes each: significand +0 (8 bytes), sign and exponent +8 (2 bytes). MMX registers are their significands. */
export const FPU_REGISTERS = 0x440;

/** Time-stamp counter at which the slice's budget will be used up, 8 bytes. */
export const TSC_END = 0x4c0;
/** Not zero: TypeScript must be asked for the time-stamp counter. */
export const TSC_ASKED = 0x4c8;

/** The linear window's first address, 8 bytes; see window.ts. */
export const WINDOW_BASE = 0x4d0;
/** Its length in bytes, less what an access may reach, 8 bytes; 0: there is none. */
export const WINDOW_LENGTH = 0x4d8;
/** From a linear address in it to a byte of the memory, modulo 2^32. */
export const WINDOW_ADDEND = 0x4e0;

/** Sixty-four bytes through which accesses go that are no plain RAM, or cross pages. */
export const SCRATCH = 0x600;
/** Micro-operations copied to run a part of a block. */
export const PARTIAL = 0x1000;

/** Translation buffers: four of 4096 entries of 16 bytes; see {@link tlbAt}. */
export const TLB = 0x180000;
/** Entries in each. */
export const TLB_ENTRIES = 4096;
/** Bytes of each: reads; writes follow. */
export const TLB_SIZE = 16 * TLB_ENTRIES;
/** From supervisor's pair to user's. */
export const TLB_USER = 2 * TLB_SIZE;
/** A tag that no page has. */
export const TLB_EMPTY = 1;

/** The jump cache: 8192 entries of 16 bytes: RIP +0, block +8, key +12. */
export const JUMPS = 0x20000;
/** Entries in it. */
export const JUMP_ENTRIES = 8192;

/** One byte for each 4 KiB of physical memory: not zero where code was decoded. */
export const CODE_PAGES = 0x80000;

/** Decoded code. */
export const ARENA = 0x200000;
/** Its end, where guest memory begins. */
export const RAM = 0x4000000;
