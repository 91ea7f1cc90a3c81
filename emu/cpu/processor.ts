/**
 * The processor's state as TypeScript sees it, and what instructions that are
 * carried out in TypeScript build on: registers, segments, flags, exceptions,
 * memory by linear and physical address.
 *
 * ## Numbers
 *
 * Registers are 64 bits wide and are taken as two halves or as a bigint. An
 * address is a number: a linear address of long mode is canonical, that is a
 * signed number of 48 bits, and so is RIP there; the upper half of the address
 * space is negative. What is not canonical may have lost its low bits, but never
 * comes out canonical. In the other modes addresses are unsigned and of 32 bits.
 *
 * @module
 */

import type { Instruction, Mode } from "./instruction.ts";
import { NO_REGISTER, RIP as RIP_BASE } from "./instruction.ts";
import * as at from "./layout.ts";
import { MsrMap } from "./msr_map.ts";
import type { Form } from "./opcodes/form.ts";
import {
  attribute,
  cr0Bits,
  cr4Bits,
  eferBits,
  eflag,
  Fault,
  modeKey,
  vectors,
} from "./processor_bits.ts";
import { splitMix } from "./random.ts";

export {
  attribute,
  cr0Bits,
  cr4Bits,
  eferBits,
  eflag,
  Fault,
  generalProtection,
  segmentNumbers,
  undefinedOpcode,
  vectors,
} from "./processor_bits.ts";

/** One segment register: the selector and what its descriptor said. */
export interface Segment {
  /** The selector. */
  selector: number;
  /** Base: of 32 bits, or in long mode a canonical number for FS, GS, TR and LDTR. */
  base: number;
  /** The last offset, in bytes (granularity applied), unsigned. */
  limit: number;
  /** See {@link attribute}. */
  attributes: number;
}

/** The six flags of arithmetic. */
const status = 0x8d5;

/** Ports and memory that is no RAM; time is up to date when they are called. */
export interface Devices {
  /** IN. */
  in(port: number, width: 1 | 2 | 4): number;
  /** OUT. */
  out(port: number, value: number, width: 1 | 2 | 4): void;
  /** Reads physical memory that is no RAM. */
  read(address: number, width: 1 | 2 | 4): number;
  /** Writes it. */
  write(address: number, value: number, width: 1 | 2 | 4): void;
  /** The time-stamp counter. */
  tsc(): bigint;
  /** FERR#: an x87 exception waits and CR0.NE is clear; a PC's board raises IRQ 13. */
  floatingPointError?(): void;
  /** A local APIC's base MSR was written, TPR (CR8) read or written, the deadline MSR written. */
  apic: ApicRegisters | undefined;
}

/** What of the local APIC is reached by MSRs and CR8. */
export interface ApicRegisters {
  /** IA32_APIC_BASE. */
  base: bigint;
  /** IA32_TSC_DEADLINE. */
  deadline: bigint;
  /** CR8: bits 7 to 4 of the task priority. */
  taskPriority: number;
}

/** How an exception or interrupt came about. */
export type EventKind = "fault" | "trap" | "interrupt" | "software" | "nmi";

/**
 * What a host that stands between guest and processor may take over. All are
 * absent on a PC, and cost nothing then. Answering true means: it is done, and
 * RIP and all else are as the host left them.
 */
export interface Host {
  /** An event is about to go through the IDT. */
  deliver?(
    vector: number,
    kind: EventKind,
    errorCode: number | undefined,
    address: number | undefined,
  ): boolean;
  /** INT n, with RIP still on it and `nextRip` behind it. */
  interrupt?(vector: number): boolean;
  /** VMCALL or VMMCALL. */
  call?(): boolean;
  /** SYSCALL or SYSENTER. */
  systemCall?(kind: "syscall" | "sysenter"): boolean;
  /** An instruction is about to fault because of the privilege level or I/O permissions. */
  privileged?(i: Instruction, form: Form): boolean;
  /** CPUID: may change what is answered (EAX, EBX, ECX, EDX). */
  cpuid?(leaf: number, subleaf: number, answer: Uint32Array): void;
  /** Reads an MSR; undefined: the processor answers. */
  readMsr?(msr: number): bigint | undefined;
  /** Writes an MSR. */
  writeMsr?(msr: number, value: bigint): boolean;
  /** Translates in place of the page tables' root: linear address to physical; undefined: the processor walks. */
  translate?(linear: number): number | undefined;
}

/** What a processor says it is, beyond its features; see system/cpuid.ts. */
export interface Identity {
  /** Twelve letters. */
  readonly vendor: string;
  /** Family, as CPUID shows it. */
  readonly family: number;
  /** Model. */
  readonly model: number;
  /** Stepping. */
  readonly stepping: number;
  /** What it calls itself, in at most 47 letters; empty: it cannot say. */
  readonly brand: string;
  /** The highest basic leaf of CPUID. */
  readonly leaves: number;
  /** Ticks a second of the time-stamp counter. */
  readonly tscHz: number;
  /** Ticks a second of the local APIC's timer, undivided. */
  readonly apicHz: number;
  /** It offers KVM's clock. */
  readonly paravirtClock: boolean;
  /** Time at power-on, in seconds since 1970, UTC; what KVM's clock counts from. */
  readonly startTime: number;
}

/** What the processor is told from outside its own files. */
export interface ProcessorOptions {
  /** The memory; see layout.ts. */
  readonly memory: WebAssembly.Memory;
  /** Bytes of guest memory. */
  readonly ram: number;
  /** Everything that is not RAM. */
  readonly devices: Devices;
  /** Whether it has a feature, as /proc/cpuinfo names it. */
  readonly has: (feature: string) => boolean;
  /** What it says it is; that of the default model if absent. */
  readonly identity?: Identity;
  /** 64 random bits, for RDRAND and RDSEED; a fixed sequence if absent. */
  readonly random?: () => bigint;
}

/** The state of one processor. */
export class Processor {
  /** All of the memory. */
  readonly memory: WebAssembly.Memory;
  /** It by bytes. */
  readonly bytes: Uint8Array;
  /** It by words of 32 bits, signed. */
  readonly words: Int32Array;
  /** It for access at any address. */
  readonly view: DataView;
  /** RAX to R15. */
  readonly registers: BigUint64Array;
  /** Bytes of guest memory. */
  readonly ram: number;
  /** Everything that is not RAM. */
  readonly devices: Devices;
  /** Whether it has a feature, as /proc/cpuinfo names it. */
  readonly has: (feature: string) => boolean;
  /** What it says it is, if that was said. */
  readonly identity: Identity | undefined;
  /** 64 random bits. */
  readonly random: () => bigint;
  /** ES, CS, SS, DS, FS, GS, LDTR, TR. */
  readonly segments: readonly [
    ...[Segment, Segment, Segment, Segment, Segment, Segment, Segment, Segment],
  ];
  /** The global descriptor table. */
  readonly gdtr = { base: 0, limit: 0xffff };
  /** The interrupt descriptor table. */
  readonly idtr = { base: 0, limit: 0xffff };
  /** CR2, all 64 bits of it. */
  cr2 = 0n;
  /** CR3, all 64 bits of it. */
  cr3 = 0n;
  /** EFER. */
  efer = 0;
  /** XCR0, low half. */
  xcr0 = 1;
  /** DR0 to DR3, DR6 and DR7 at their numbers. */
  readonly debug: bigint[] = [0n, 0n, 0n, 0n, 0n, 0n, 0xffff0ff0n, 0x400n];
  /** MSRs that only hold what was written, by number. */
  readonly msrs: MsrMap = new MsrMap();
  /** Width of the code. */
  mode: Mode = 16;
  /** Width of the stack pointer. */
  stackWidth: 16 | 32 | 64 = 16;
  /** While an instruction is carried out: where execution goes on after it. */
  nextRip = 0;
  /**
   * Interrupts, or interrupts and debug traps, wait for one more instruction:
   * 1 after STI, 2 after MOV SS and POP SS.
   */
  shadow = 0;
  /** Set by INT n and its kin, and SYSCALL: no debug trap follows them, for they have cleared TF. */
  untraced = false;
  /** Elements of a string that an instruction does at most before it gives way; 1 while each may trap. */
  elementsAStep = 0x1000;
  /** It waits for an interrupt. */
  halted = false;
  /** An NMI was delivered, and no IRET has come since: none is taken. */
  nmiBlocked = false;
  /** It has shut down: a fault while a double fault was delivered. */
  shutDown = false;
  /** Whoever stands between guest and processor. */
  host: Host | undefined;
  /** Set while address line 20 is let through. */
  a20 = true;
  /**
   * The memory management unit, set by whoever puts the machine together; see
   * mmu.ts. It is an interface here so that the state knows no page tables.
   */
  mmu!: Mmu;
  #cr0 = 0x60000010;
  #cr4 = 0;

  constructor({ memory, ram, devices, has, identity, random }: ProcessorOptions) {
    this.memory = memory;
    this.ram = ram;
    this.devices = devices;
    this.has = has;
    this.identity = identity;
    this.random = random ?? splitMix();
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Int32Array(memory.buffer, 0, memory.buffer.byteLength >>> 2);
    this.view = new DataView(memory.buffer);
    this.registers = new BigUint64Array(memory.buffer, at.REGISTERS, 16);
    const one = (n: number): Segment =>
      n < 6
        ? new SegmentRegister(this.words, n)
        : { selector: 0, base: 0, limit: 0xffff, attributes: n === 6 ? 0x82 : 0x8b };
    this.segments = [one(0), one(1), one(2), one(3), one(4), one(5), one(6), one(7)];
    this.cr4 = 0;
  }

  /** CR0. */
  get cr0(): number {
    return this.#cr0;
  }
  set cr0(value: number) {
    this.#cr0 = value;
    this.#block();
  }
  /** CR4. */
  get cr4(): number {
    return this.#cr4;
  }
  set cr4(value: number) {
    this.#cr4 = value;
    this.#block();
  }
  /** Notes for generated code what may not be used. */
  #block(): void {
    const mmx = (this.#cr0 & (cr0Bits.EM | cr0Bits.TS)) !== 0;
    const sse = mmx || (this.#cr4 & cr4Bits.OSFXSR) === 0;
    this.words[at.VECTOR_BLOCKED >> 2] = (sse ? 1 : 0) | (mmx ? 2 : 0);
  }

  /** RIP: unsigned of 32 bits, in 64-bit mode canonical. */
  get rip(): number {
    return this.#wide(at.RIP);
  }
  set rip(value: number) {
    this.#setWide(at.RIP, value);
  }

  /** Privilege level. */
  get cpl(): number {
    return this.words[at.CPL >> 2] as number;
  }
  set cpl(level: number) {
    this.words[at.CPL >> 2] = level;
  }

  /** EFLAGS, whole. */
  get eflags(): number {
    const { words } = this;
    const aux = words[at.FLAG_AUX >> 2] as number;
    const low = words[at.FLAG_RESULT >> 2] as number;
    const high = words[at.FLAG_RESULT + 4 >> 2] as number;
    let flags = words[at.FLAGS_OTHER >> 2] as number;
    if (aux < 0) flags |= eflag.CF;
    if (((aux ^ aux << 1) & 0x8000_0000) !== 0) flags |= eflag.OF;
    if ((aux & 8) !== 0) flags |= eflag.AF;
    if (low === 0 && high === 0) flags |= eflag.ZF;
    if ((high < 0) !== ((aux & 1) !== 0)) flags |= eflag.SF;
    let parity = (low ^ aux >> 8) & 0xff;
    parity ^= parity >> 4;
    if ((0x9669 >> (parity & 15) & 1) !== 0) flags |= eflag.PF;
    return flags;
  }
  set eflags(value: number) {
    const { words } = this;
    words[at.FLAGS_OTHER >> 2] = value & 0x3f7700 & ~status | 2;
    const carry = value & eflag.CF;
    const overflow = value >> 11 & 1;
    // A result of zero stands for ZF; SF and PF are then made right by corrections.
    const zero = (value & eflag.ZF) !== 0;
    words[at.FLAG_RESULT >> 2] = zero ? 0 : 0x100;
    words[at.FLAG_RESULT + 4 >> 2] = 0;
    words[at.FLAG_AUX >> 2] = carry << 31 | (carry ^ overflow) << 30 |
      ((value & eflag.AF) !== 0 ? 8 : 0) | ((value & eflag.SF) !== 0 ? 1 : 0) |
      // A low byte of zero has even parity: PF set.
      ((value & eflag.PF) !== 0 ? 0 : 0x100);
  }

  /** IOPL. */
  get iopl(): number {
    return (this.words[at.FLAGS_OTHER >> 2] as number) >> 12 & 3;
  }
  /** In virtual-8086 mode. */
  get isVirtual8086(): boolean {
    return ((this.words[at.FLAGS_OTHER >> 2] as number) & eflag.VM) !== 0;
  }
  /** Protected mode, virtual-8086 or not. */
  get isProtected(): boolean {
    return (this.cr0 & cr0Bits.PE) !== 0;
  }
  /** Long mode is active: 64-bit or compatibility. */
  get isLong(): boolean {
    return (this.efer & eferBits.LMA) !== 0;
  }

  /** A general register's low 32 bits, unsigned. */
  low(number: number): number {
    return (this.words[(at.REGISTERS >> 2) + 2 * number] as number) >>> 0;
  }
  /** A general register as an address: of 16 or 32 bits unsigned, of 64 bits signed. */
  address(number: number, width: number): number {
    if (width === 64) return this.#wide(at.REGISTERS + 8 * number);
    const low = this.low(number);
    return width === 16 ? low & 0xffff : low;
  }
  /** Sets a general register of some width: 32 bits clear those above, 16 leave them. */
  setAddress(number: number, value: number, width: number): void {
    const where = (at.REGISTERS >> 2) + 2 * number;
    if (width === 64) this.#setWide(at.REGISTERS + 8 * number, value);
    else if (width === 32) {
      this.words[where] = value;
      this.words[where + 1] = 0;
    } else this.words[where] = (this.words[where] as number) & ~0xffff | value & 0xffff;
  }

  /**
   * The offset that an instruction's memory operand names within its segment; of
   * the address size.
   */
  offset(i: Instruction): number {
    const { base, index, addressSize } = i;
    let sum = i.disp;
    // RIP still stands on the instruction.
    if (base === RIP_BASE) sum += this.rip + i.length;
    else if (base !== NO_REGISTER) sum += this.address(base, 64 === addressSize ? 64 : 32);
    if (index !== NO_REGISTER) {
      sum += this.address(index, 64 === addressSize ? 64 : 32) * (1 << i.shift);
    }
    return addressSize === 16 ? sum & 0xffff : addressSize === 32 ? sum >>> 0 : sum;
  }

  /**
   * The linear address of so many bytes in a segment, if they may be touched.
   *
   * @param offset Of the address size, unsigned; in 64-bit mode signed.
   * A segment of 4 GiB has no end: what reaches beyond goes on at its start, as the
   * manual allows and generated code has it.
   *
   * @throws {Fault} #GP(0), or #SS(0) of the stack segment: beyond the limit, not
   *   of the right type, null, or not canonical.
   */
  linear(segment: number, offset: number, bytes: number, write: boolean): number {
    const register = this.segments[segment as 0];
    if (this.mode === 64) {
      const address = segment >= 4 ? register.base + offset : offset;
      const top = 2 ** 47;
      if (address < -top || address + bytes - 1 >= top || (address < 0 && address + bytes > 0)) {
        throw new Fault(segment === 2 ? vectors.SS : vectors.GP, 0);
      }
      return address;
    }
    const { attributes, limit } = register;
    const fails = () => new Fault(segment === 2 ? vectors.SS : vectors.GP, 0);
    if ((attributes & attribute.unusable) !== 0) throw fails();
    if (this.isProtected && !this.isVirtual8086) {
      const isCode = (attributes & attribute.code) !== 0;
      const may = (attributes & attribute.writable) !== 0;
      if (write ? isCode || !may : isCode && !may) throw fails();
    }
    const last = offset + bytes - 1;
    if ((attributes & (attribute.code | attribute.expandDown)) === attribute.expandDown) {
      const top = (attributes & attribute.big) !== 0 ? 0xffff_ffff : 0xffff;
      if (offset <= limit || last > top) throw fails();
    } else if (last > limit && limit !== 0xffff_ffff) throw fails();
    return register.base + offset >>> 0;
  }

  /** What must be worked out anew when CR0, EFER, CS, SS, CPL or the VM flag has changed. */
  refresh(): void {
    const [, cs, ss] = this.segments;
    const big = (segment: Segment) => (segment.attributes & attribute.big) !== 0;
    if (this.isLong && (cs.attributes & attribute.long) !== 0 && !this.isVirtual8086) {
      this.mode = 64;
      this.stackWidth = 64;
    } else {
      this.mode = big(cs) ? 32 : 16;
      this.stackWidth = big(ss) ? 32 : 16;
    }
    this.words[at.TLB_NOW >> 2] = at.TLB + (this.cpl === 3 ? at.TLB_USER : 0);
    this.words[at.MODE_KEY >> 2] = this.#modeKey();
  }

  /** What decoded code depends on; see {@link modeKey}. */
  #modeKey(): number {
    const { mode } = this;
    const width = mode === 64 ? 2 : mode === 32 ? 1 : 0;
    return width | (this.stackWidth === 32 ? modeKey.stack32 : 0) |
      (this.#isFlat() ? modeKey.flat : 0) | (this.cpl === 3 ? modeKey.user : 0);
  }

  #isFlat(): boolean {
    if (this.mode === 64) return true;
    for (let n = 0; n < 4; n++) {
      const { base, limit, attributes } = this.segments[n as 0];
      if (base !== 0 || limit !== 0xffff_ffff || (attributes & attribute.unusable) !== 0) {
        return false;
      }
      // Data that can be written; code that can be read.
      const wanted = n === 1 ? attribute.code | attribute.writable : attribute.writable;
      if ((attributes & (n === 1 ? 0xa : 0xe)) !== wanted) return false;
    }
    return true;
  }

  #wide(byte: number): number {
    return (this.words[byte + 4 >> 2] as number) * 0x1_0000_0000 +
      ((this.words[byte >> 2] as number) >>> 0);
  }

  #setWide(byte: number, value: number): void {
    this.words[byte >> 2] = value;
    this.words[byte + 4 >> 2] = Math.floor(value / 0x1_0000_0000);
  }
}

/** A segment register that generated code sees. */
class SegmentRegister implements Segment {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #base: number;

  constructor(words: Int32Array, number: number) {
    this.#words = words;
    this.#at = at.SEGMENTS + at.SEGMENT_SIZE * number >> 2;
    this.#base = at.REGISTERS + 8 * (at.SLOT_BASES + number) >> 2;
  }
  get base(): number {
    return (this.#words[this.#base + 1] as number) * 0x1_0000_0000 +
      ((this.#words[this.#base] as number) >>> 0);
  }
  set base(value: number) {
    this.#words[this.#base] = value;
    this.#words[this.#base + 1] = Math.floor(value / 0x1_0000_0000);
  }
  get limit(): number {
    return (this.#words[this.#at] as number) >>> 0;
  }
  set limit(value: number) {
    this.#words[this.#at] = value;
  }
  get attributes(): number {
    return this.#words[this.#at + 1] as number;
  }
  set attributes(value: number) {
    this.#words[this.#at + 1] = value;
  }
  get selector(): number {
    return this.#words[this.#at + 2] as number;
  }
  set selector(value: number) {
    this.#words[this.#at + 2] = value;
  }
}

/** Reads with the rights of the current privilege level, or of the supervisor. */
export type Rights = "current" | "supervisor";

/**
 * Memory by linear address, through page tables where paging is on. All throw a
 * page fault ({@link Fault}) where a page is missing or forbids it, and have then
 * changed nothing. Linear addresses were checked against segments before.
 */
export interface Mmu {
  /** Reads 1, 2 or 4 bytes, unsigned. */
  load(linear: number, bytes: 1 | 2 | 4, rights?: Rights): number;
  /** Reads 8 bytes. */
  loadBig(linear: number, rights?: Rights): bigint;
  /** Writes 1, 2 or 4 bytes. */
  store(linear: number, bytes: 1 | 2 | 4, value: number, rights?: Rights): void;
  /** Writes 8 bytes. */
  storeBig(linear: number, value: bigint, rights?: Rights): void;
  /** Faults if so many bytes (at most 4096) cannot be written, or else makes their pages dirty. */
  requireStore(linear: number, bytes: number, rights?: Rights): void;
  /** The same for reading. */
  requireLoad(linear: number, bytes: number, rights?: Rights): void;
  /**
   * Physical address of a byte of code; sets A. Faults with the instruction bit
   * in its error code where that is reported.
   */
  code(linear: number): number;
  /**
   * Loads the four pointers of PAE paging from the page that a value for CR3
   * names; false, and nothing has changed, if they have reserved bits.
   */
  loadPointers(cr3: bigint): boolean;
  /** Drops translations: all, or those that are not global. */
  flush(global: boolean): void;
  /** Drops the translation of one page. */
  invalidate(linear: number): void;
  /** Reads physical memory, RAM or not. */
  physicalLoad(address: number, bytes: 1 | 2 | 4): number;
  /** Writes physical memory, RAM or not; code decoded from it is dropped. */
  physicalStore(address: number, bytes: 1 | 2 | 4, value: number): void;
}

/**
 * An instruction that is carried out in TypeScript: the one description of what
 * it does. RIP stands on it and `nextRip` behind it; on return RIP becomes
 * `nextRip`. It throws a {@link Fault}, having changed nothing.
 */
export type SystemSemantics = (cpu: Processor, i: Instruction, form: Form) => void;
