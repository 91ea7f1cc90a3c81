/**
 * A processor with a little memory and devices that only take notes, for tests
 * of what is carried out in TypeScript.
 *
 * @module
 */

import { DECODED, Decoder } from "../emu/cpu/decode.ts";
import { Instruction } from "../emu/cpu/instruction.ts";
import * as at from "../emu/cpu/layout.ts";
import { PageTables } from "../emu/cpu/mmu.ts";
import {
  type ApicRegisters,
  cr0Bits,
  cr4Bits,
  eferBits,
  Fault,
  type Identity,
  Processor,
  type SystemSemantics,
  undefinedOpcode,
} from "../emu/cpu/processor.ts";

/** Bytes of its memory. */
export const ram = 0x40_0000;

/** Ways in which addresses become physical. */
export type Paging = "none" | "32-bit" | "PAE" | "4-level";

/** Features that tests of paging want. */
export const allPaging: readonly string[] = [
  ...["pse", "pse36", "pae", "pge", "nx", "smep", "smap", "lm", "pdpe1gb", "msr", "tsc"],
];

/** What the devices were asked. */
export type Asked = readonly [kind: string, address: number, width: number, value: number];

/** A processor after reset, but with flat segments; its devices answer `answer`. */
export function guestProcessor(
  features: readonly string[] = allPaging,
  answer: (kind: "in" | "read", address: number) => number = () => 0xffff_ffff,
  more: { apic?: ApicRegisters; identity?: Identity } = {},
): { cpu: Processor; mmu: PageTables; asked: Asked[] } {
  const memory = new WebAssembly.Memory({ initial: (at.RAM + ram) / 0x1_0000 });
  const asked: Asked[] = [];
  const cut = (value: number, width: number) =>
    width === 4 ? value >>> 0 : value & 2 ** (8 * width) - 1;
  const cpu = new Processor({
    memory,
    ram,
    has: (feature) => features.includes(feature),
    devices: {
      in: (port, width) => {
        const value = cut(answer("in", port), width);
        asked.push(["in", port, width, value]);
        return value;
      },
      out: (port, value, width) => void asked.push(["out", port, width, value]),
      read: (address, width) => {
        const value = cut(answer("read", address), width);
        asked.push(["read", address, width, value]);
        return value;
      },
      write: (address, value, width) => void asked.push(["write", address, width, value]),
      tsc: () => 0x1_2345_6789n,
      apic: more.apic,
    },
    ...(more.identity === undefined ? {} : { identity: more.identity }),
  });
  const mmu = new PageTables(cpu);
  cpu.mmu = mmu;
  cpu.eflags = 2;
  for (let n = 0; n < 6; n++) {
    const segment = cpu.segments[n as 0];
    Object.assign(segment, { base: 0, limit: 0xffff_ffff, attributes: n === 1 ? 0xc09b : 0xc093 });
  }
  cpu.cr0 |= cr0Bits.PE;
  cpu.refresh();
  return { cpu, mmu, asked };
}

/** Page tables as a kernel would build them, from physical address 0x100000 on. */
export class GuestTables {
  readonly #cpu: Processor;
  readonly #paging: Paging;
  #free = 0x10_1000;

  /** Empty tables; paging is switched on. */
  constructor(cpu: Processor, paging: Paging) {
    this.#cpu = cpu;
    this.#paging = paging;
    cpu.cr3 = 0x10_0000n;
    if (paging !== "none") cpu.cr0 = cpu.cr0 | cr0Bits.PG | cr0Bits.WP;
    if (paging === "PAE" || paging === "4-level") {
      cpu.cr4 |= cr4Bits.PAE;
      cpu.efer |= eferBits.NXE;
    } else cpu.cr4 |= cr4Bits.PSE;
    if (paging === "4-level") {
      cpu.efer |= eferBits.LME | eferBits.LMA;
      cpu.segments[1].attributes |= 0x2000;
    }
    cpu.refresh();
  }

  /**
   * Maps a page.
   *
   * @param bits Lower bits of all entries that lead there, and with them the upper half of the last.
   * @param size Log2 of the page's size.
   * @returns Physical addresses of the entries, the root's first.
   */
  map(linear: number, physical: number, bits: number, high = 0, size = 12): number[] {
    const is64 = this.#paging !== "32-bit";
    const shifts = is64 ? [39, 30, 21, 12] : [22, 12];
    if (this.#paging === "PAE") shifts.shift();
    let table = 0x10_0000;
    const path: number[] = [];
    for (const shift of shifts) {
      const count = is64 ? 512n : 1024n;
      const index = Number(BigInt(linear) >> BigInt(shift) & (count - 1n));
      const where = table + index * (is64 ? 8 : 4);
      path.push(where);
      if (shift === size) {
        this.set(where, physical % 2 ** 32 | bits | (size > 12 ? 0x80 : 0));
        if (is64) this.set(where + 4, Math.floor(physical / 2 ** 32) | high);
        break;
      }
      let next = this.get(where) & ~0xfff;
      if (next === 0) {
        next = this.#free;
        this.#free += 0x1000;
      }
      // The pointers of PAE paging have no rights.
      const isPointer = this.#paging === "PAE" && shift === 30;
      this.set(where, next | (isPointer ? 1 : bits & 7 | this.get(where) & 7));
      table = next;
    }
    if (this.#paging === "PAE") this.#cpu.mmu.loadPointers(this.#cpu.cr3);
    return path;
  }

  /** A word of physical memory. */
  get(address: number): number {
    return this.#cpu.words[at.RAM + address >> 2] ?? 0;
  }

  /** Sets one. */
  set(address: number, value: number): void {
    this.#cpu.words[at.RAM + address >> 2] = value;
  }
}

/**
 * Carries out one instruction; RIP goes on as it says.
 *
 * @param semantics By semantic name.
 * @param code The instruction in hexadecimal.
 * @throws {Fault} As the instruction does.
 */
export function step(
  cpu: Processor,
  semantics: Readonly<Record<string, SystemSemantics>>,
  code: string,
): void {
  const bytes = Uint8Array.fromHex(code.replaceAll(" ", ""));
  const decoder = new Decoder(cpu.mode, cpu.has);
  const i = new Instruction();
  if (decoder.decode(bytes, 0, bytes.length, i) !== DECODED) throw undefinedOpcode();
  const form = decoder.forms[i.form];
  const carryOut = form && semantics[form.row.as ?? form.mnemonics[0]];
  if (form === undefined || carryOut === undefined) throw new TypeError(`${code} has no semantics`);
  cpu.nextRip = cpu.rip + i.length;
  carryOut(cpu, i, form);
  cpu.rip = cpu.nextRip;
}

/** The vector and error code of the exception that something raises. */
export function faultOf(action: () => unknown): readonly [vector: number, errorCode?: number] {
  try {
    action();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return error.errorCode === undefined ? [error.vector] : [error.vector, error.errorCode];
  }
  throw new TypeError("no exception was raised");
}
