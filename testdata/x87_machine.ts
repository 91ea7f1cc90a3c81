/**
 * A processor with a little flat memory, on which single x87 instructions run.
 *
 * @module
 */

import { DECODED, Decoder } from "../emu/cpu/decode.ts";
import { Instruction, type Mode } from "../emu/cpu/instruction.ts";
import { Fault, type Mmu, Processor, type SystemSemantics, vectors } from "../emu/cpu/processor.ts";
import { semanticName } from "../emu/cpu/semantics/mod.ts";
import { stateSemantics, x87Semantics } from "../emu/cpu/x87/mod.ts";

/** Where its memory begins. */
export const memoryAt = 0x2000_0000;
/** Bytes of it. */
export const memorySize = 0x1_0000;

/** Memory that is where linear addresses say, and nowhere else. */
export class FlatMmu implements Mmu {
  /** The bytes. */
  readonly bytes: Uint8Array<ArrayBuffer> = new Uint8Array(memorySize);
  /** The lowest linear address that cannot be written. */
  writableTo = memoryAt + memorySize;
  readonly #view = new DataView(this.bytes.buffer);

  load(linear: number, bytes: 1 | 2 | 4): number {
    this.requireLoad(linear, bytes);
    const at = linear - memoryAt;
    return bytes === 1
      ? this.#view.getUint8(at)
      : bytes === 2
      ? this.#view.getUint16(at, true)
      : this.#view.getUint32(at, true);
  }
  loadBig(linear: number): bigint {
    this.requireLoad(linear, 8);
    return this.#view.getBigUint64(linear - memoryAt, true);
  }
  store(linear: number, bytes: 1 | 2 | 4, value: number): void {
    this.requireStore(linear, bytes);
    const at = linear - memoryAt;
    if (bytes === 1) this.#view.setUint8(at, value);
    else if (bytes === 2) this.#view.setUint16(at, value, true);
    else this.#view.setUint32(at, value, true);
  }
  storeBig(linear: number, value: bigint): void {
    this.requireStore(linear, 8);
    this.#view.setBigUint64(linear - memoryAt, value, true);
  }
  requireStore(linear: number, bytes: number): void {
    this.requireLoad(linear, bytes);
    if (linear + bytes > this.writableTo) throw new Fault(vectors.PF, 7, this.writableTo);
  }
  requireLoad(linear: number, bytes: number): void {
    const isIn = linear >= memoryAt && linear + bytes <= memoryAt + memorySize;
    if (!isIn) throw new Fault(vectors.PF, 4, linear);
  }
  code(linear: number): number {
    return linear;
  }
  physicalLoad(address: number, bytes: 1 | 2 | 4): number {
    return this.load(address, bytes);
  }
  physicalStore(address: number, bytes: 1 | 2 | 4, value: number): void {
    this.store(address, bytes, value);
  }
  flush(): void {}
  invalidate(): void {}
  loadPointers(): boolean {
    return true;
  }
}

/** A processor and its memory. */
export interface X87Machine {
  /** The processor: protected or 64-bit mode, privilege level 3. */
  readonly cpu: Processor;
  /** Its memory. */
  readonly mmu: FlatMmu;
  /** What decodes its code. */
  readonly decoder: Decoder;
}

/** Makes one, with flat segments. */
export function x87Machine(mode: Mode = 64): X87Machine {
  const none = () => 0;
  const cpu = new Processor({
    memory: new WebAssembly.Memory({ initial: 1 }),
    ram: 0,
    devices: {
      ...{ in: none, out: () => {}, read: none, write: () => {}, tsc: () => 0n },
      apic: undefined,
    },
    has: () => true,
  });
  const mmu = new FlatMmu();
  cpu.mmu = mmu;
  cpu.eflags = 2;
  for (const [n, segment] of cpu.segments.entries()) {
    segment.selector = 0;
    segment.base = 0;
    segment.limit = 0xffff_ffff;
    segment.attributes = n === 1 ? 0x20fb : 0x40f3;
  }
  if (mode !== 64) cpu.segments[1].attributes = mode === 32 ? 0x40fb : 0xfb;
  cpu.cr0 = 0x8005_0033;
  cpu.cr4 = 0x4_0600;
  cpu.xcr0 = 3;
  cpu.efer = mode === 64 ? 0x500 : 0;
  cpu.cpl = 3;
  cpu.refresh();
  return { cpu, mmu, decoder: new Decoder(mode) };
}

const found = new Instruction();

/** What carries out an instruction of the x87 unit or of extended state. */
export function x87SemanticsOf(name: string): SystemSemantics | undefined {
  if (Object.hasOwn(x87Semantics, name)) return x87Semantics[name];
  return Object.hasOwn(stateSemantics, name) ? stateSemantics[name] : undefined;
}

/**
 * Writes an instruction to memory and carries it out.
 *
 * @returns The fault that it raised, if it did.
 */
export function execute(
  { cpu, mmu, decoder }: X87Machine,
  at: number,
  code: Uint8Array,
): Fault | undefined {
  mmu.bytes.set(code, at - memoryAt);
  if (decoder.decode(code, 0, code.length, found) !== DECODED) {
    throw new TypeError(`${code.toHex()} is no instruction`);
  }
  const form = decoder.forms[found.form];
  const semantics = form === undefined ? undefined : x87SemanticsOf(semanticName(form));
  if (form === undefined || semantics === undefined) throw new TypeError(`${code.toHex()}: no x87`);
  cpu.rip = at;
  cpu.nextRip = at + found.length;
  try {
    semantics(cpu, found, form);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown;
    throw thrown;
  }
}
