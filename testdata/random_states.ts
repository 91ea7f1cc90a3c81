/**
 * Processors in states that nobody would bring them into, with random code before
 * them: what they do is anybody's guess, but it must end, and be the same twice.
 *
 * @module
 */

import { Decoder } from "../emu/cpu/decode.ts";
import type { Mode } from "../emu/cpu/instruction.ts";
import { cr0Bits, cr4Bits, eferBits, type EventKind } from "../emu/cpu/processor.ts";
import { Machine } from "../emu/machine.ts";
import { encode } from "./instruction_cases.ts";
import { Random } from "./processor_cases.ts";

/** Kinds of states. */
export const stateKinds = [
  ...["real", "flat", "segments", "paged", "PAE", "long", "compatibility", "virtual-8086"] as const,
];

/** What came of a run. */
export interface RandomRun {
  /** Sum over the state at the end. */
  readonly hash: string;
  /** Instructions that retired. */
  readonly instructions: number;
  /** Exceptions and interrupts that were delivered, or tried to. */
  readonly events: number;
}

const size = 0x10_0000;
const tables = 0x1_0000;

/** Random bytes, among them many that are instructions. */
function randomCode(bytes: Uint8Array, random: Random, mode: Mode): void {
  const { forms } = new Decoder(mode);
  for (let p = 0; p < bytes.length;) {
    const form = forms[1 + random.below(forms.length - 1)];
    if (form === undefined || random.below(3) === 0) {
      for (let n = random.below(8); n >= 0 && p < bytes.length; n--) bytes[p++] = random.below(256);
      continue;
    }
    const prefixes = [0x66, 0x67, 0xf3, 0xf2, 0xf0, 0x64, 0x26, 0x36]
      .filter(() => random.below(20) === 0);
    const one = encode(form, {
      ...{ mode, prefixes, modrm: random.below(256), sib: random.below(256) },
      ...{ disp: random.next() | 0, immediate: random.value(), register: random.below(8) },
      ...(mode === 64 && random.below(2) === 0 ? { rex: 0x40 | random.below(16) } : {}),
    });
    for (const byte of one) if (p < bytes.length) bytes[p++] = byte;
  }
}

/**
 * Four levels of tables at {@link tables}, or two of them, that lead mostly where
 * the address says; some entries are absent, odd, large or lead to tables.
 */
function randomTables(words: Uint32Array, random: Random, isWide: boolean, isPae: boolean): void {
  const step = isWide ? 8 : 4;
  for (let level = 0; level < 4; level++) {
    const table = tables + 0x1000 * level;
    // Without the levels in the middle the first leads to the last.
    const next = isWide ? table + 0x1000 : tables + 0x3000;
    for (let n = 0; n < 0x1000; n += step) {
      const to = level < 3 ? next : 0x1000 * (n / step & 0xff);
      const odd = random.below(16);
      const flags = isPae && level === 1 ? 1 : 0x27;
      const entry = odd === 0
        ? random.next()
        : odd === 1
        ? tables + 0x1000 * random.below(4) | 0x27
        : odd === 2 && level === 2
        ? 0xa7
        : to | flags;
      words[table + n >> 2] = entry;
      if (isWide) words[(table + n >> 2) + 1] = random.below(64) === 0 ? random.next() : 0;
    }
  }
}

/**
 * Runs a processor from a random state.
 *
 * @param kind One of {@link stateKinds}.
 * @param compiles Whether code is compiled.
 * @param instructions How many may retire.
 */
export function runRandomState(
  seed: number,
  kind: typeof stateKinds[number],
  compiles: boolean,
  instructions: number,
): RandomRun {
  const random = new Random(seed * 2654435761 | 1);
  for (let n = 0; n < 8; n++) random.next();
  const machine = new Machine({ memory: size });
  const { cpu, mmu } = machine;
  machine.engine.compiles = compiles;
  const bytes = new Uint8Array(size);
  const mode: Mode = kind === "long"
    ? 64
    : kind === "real" || kind === "virtual-8086"
    ? 16
    : random.below(4) === 0
    ? 16
    : 32;
  for (let n = 0; n < size; n++) bytes[n] = random.below(4) === 0 ? random.below(256) : 0;
  randomCode(bytes.subarray(0x8_0000), random, mode);
  const words = new Uint32Array(bytes.buffer);
  const isWide = kind === "long" || kind === "compatibility" || kind === "PAE";
  randomTables(words, random, isWide, kind === "PAE");
  // Descriptors of all types, most of them flat.
  for (let n = 0x2000; n < 0x4000; n += 8) {
    words[n >> 2] = random.below(2) === 0 ? 0xffff : random.next();
    words[(n >> 2) + 1] = (random.below(2) === 0 ? 0xcf_0000 : random.next() & 0xff_0000) |
      0x8000 | random.below(128) << 8 | (random.below(8) === 0 ? 0x20_0000 : 0);
  }
  // Gates.
  for (let n = 0x4000; n < 0x5000; n += 8) {
    words[n >> 2] = 8 * random.below(16) << 16 | random.next() & 0xffff;
    words[(n >> 2) + 1] = 8 << 16 | 0x8000 | random.below(128) << 8;
  }
  machine.memory.write(0, bytes);

  const { PE, PG, WP, ET } = cr0Bits;
  const isPaged = ["paged", "PAE", "long", "compatibility"].includes(kind);
  cpu.cr0 = (ET | (kind === "real" ? 0 : PE) | (isPaged ? PG : 0) |
    (random.below(2) === 0 ? WP : 0)) >>> 0;
  cpu.cr3 = BigInt(kind === "PAE" ? tables + 0x1000 : tables);
  const isLong = kind === "long" || kind === "compatibility";
  cpu.cr4 = cr4Bits.OSFXSR | (isLong || kind === "PAE" ? cr4Bits.PAE : 0) |
    (random.below(2) === 0 ? cr4Bits.PGE | cr4Bits.PSE : 0) |
    (random.below(4) === 0 ? cr4Bits.VME | cr4Bits.DE | cr4Bits.TSD : 0);
  if (isLong) cpu.efer = eferBits.LME | eferBits.LMA | eferBits.SCE | eferBits.NXE;
  mmu.loadPointers(cpu.cr3);
  cpu.gdtr.base = 0x2000;
  cpu.gdtr.limit = 0x1fff;
  cpu.idtr.base = 0x4000;
  cpu.idtr.limit = kind === "real" ? 0x3ff : 0xfff;
  const level = kind === "real"
    ? 0
    : kind === "virtual-8086"
    ? 3
    : [0, 0, 1, 3][random.below(4)] ?? 0;
  const parts = kind === "real" || kind === "virtual-8086";
  for (const [n, segment] of cpu.segments.entries()) {
    const odd = kind === "segments" && random.below(2) === 0;
    const selector = parts ? 0x7000 + random.below(0x1000) : 8 * (1 + random.below(100)) | level;
    const size16 = mode === 16 ? 0 : 0x4000;
    Object.assign(segment, {
      selector,
      base: parts ? selector << 4 : odd ? random.below(0x8_0000) : 0,
      limit: parts ? 0xffff : odd ? random.next() & 0xf_ffff : 0xffff_ffff,
      attributes:
        (n === 1 ? 0x9b : n < 6 ? odd ? 0x90 | random.below(8) : 0x93 : n === 6 ? 0x82 : 0x8b) |
        level << 5 | (n === 1 && mode === 64 ? 0x2000 : n < 6 ? size16 : 0),
    });
  }
  cpu.cpl = level;
  cpu.eflags = random.next() & 0x5_7ed7 | 2 | (kind === "virtual-8086" ? 0x2_0000 : 0) |
    (random.below(8) === 0 ? 0x100 : 0);
  cpu.refresh();
  for (let n = 0; n < 16; n++) {
    cpu.registers[n] = random.below(3) === 0 ? random.value() : BigInt(random.below(size));
  }
  if (random.below(4) === 0) {
    for (let n = 0; n < 4; n++) cpu.debug[n] = BigInt(random.below(size));
    cpu.debug[7] = BigInt(random.next()) & 0xffff_23ffn | 0x400n;
  }
  mmu.flush(true);
  let events = 0;
  const isCaught = random.below(3) !== 0;
  const jump = () => {
    cpu.rip = parts ? random.below(0x10000) : 0x8_0000 + random.below(0x7_f000);
  };
  jump();
  if (isCaught) {
    cpu.host = {
      deliver: (_vector: number, _kind: EventKind) => {
        events++;
        if (events % 8 === 0) return false;
        jump();
        return true;
      },
    };
  }
  for (let turn = 0; turn < 200 && machine.instructions < instructions; turn++) {
    const stop = machine.run({ instructions: instructions - machine.instructions });
    if (stop.kind === "off" || stop.kind === "reset" || stop.kind === "exit") break;
    // Whatever it waits for, it goes on.
    cpu.halted = cpu.shutDown = false;
    jump();
  }
  return { hash: machine.stateHash(), instructions: machine.instructions, events };
}
