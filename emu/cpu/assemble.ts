/**
 * The assembler: programs of a few lines, written in TypeScript, for guests made
 * by hand and for the built-in init.
 *
 * It has no instruction of its own: mnemonics, operands and encodings are those
 * of the opcode map that the decoder is driven by, and of the rows that fit it
 * takes the shortest. 16-, 32- and 64-bit code may follow each other in one
 * program.
 *
 * ```ts
 * import { Assembler, at, mem } from "./assemble.ts";
 *
 * const a = new Assembler({ mode: 32, origin: 0x100000 });
 * a.emit("mov", "ecx", 10);
 * a.label("again");
 * a.emit("add", "eax", mem({ base: "ebx", index: "ecx", scale: 4 }));
 * a.emit("loop", at("again"));
 * a.emit("ret");
 * const code = a.finish();
 * if (code.length !== 11) throw new Error("five, three, two and one byte");
 * ```
 *
 * @module
 */

import { type Encoded, encodings, isMnemonic } from "./assemble_form.ts";
import { type AssemblyOperand, type Reference, showOperand } from "./assemble_operand.ts";
import type { Mode } from "./instruction.ts";

export {
  type AssemblyOperand,
  at,
  between,
  far,
  type FarPointer,
  mem,
  type Memory,
  type MemoryParts,
  type Reference,
  to,
} from "./assemble_operand.ts";

/** How an assembler starts. */
export interface AssemblerOptions {
  /** Width of the code; {@link Assembler.use} changes it. */
  readonly mode: Mode;
  /** Address of the first byte; default 0. */
  readonly origin?: number;
}

/** A stretch of the program: bytes of one of several lengths, a gap, or a label. */
type Item =
  | { readonly kind: "code"; readonly choices: readonly Encoded[]; chosen: number }
  | { readonly kind: "align"; readonly to: number; readonly fill: number }
  | { readonly kind: "gap"; readonly to: number; readonly fill: number }
  | { readonly kind: "label"; readonly name: string };

const prefixes: Readonly<Record<string, number>> = {
  ...{ lock: 0xf0, rep: 0xf3, repe: 0xf3, repz: 0xf3, repne: 0xf2, repnz: 0xf2 },
};

/** Second names of conditions. */
const conditions: Readonly<Record<string, string>> = {
  ...{ z: "e", nz: "ne", c: "b", nc: "ae", nae: "b", nb: "ae", na: "be", nbe: "a" },
  ...{ pe: "p", po: "np", nge: "l", nl: "ge", ng: "le", nle: "g" },
};

/** A program being written. */
export class Assembler {
  readonly #origin: number;
  readonly #items: Item[] = [];
  readonly #labels = new Map<string, number>();
  readonly #known = new Set<string>();
  #mode: Mode;

  /** An empty program. */
  constructor({ mode, origin = 0 }: AssemblerOptions) {
    this.#mode = mode;
    this.#origin = origin;
  }

  /** Writes code of another width from here on. */
  use(mode: Mode): this {
    this.#mode = mode;
    return this;
  }

  /**
   * Writes an instruction.
   *
   * @param mnemonic As the disassembler writes it, with prefixes before it:
   *   `lock add`, `rep movsd`, `far jmp`; `o16`, `o32`, `o64`, `a16`, `a32` and
   *   `a64` ask for an operand or address size that no operand tells of.
   * @param operands Registers by their names, numbers, and what `mem`, `at`,
   *   `to` and `far` make.
   * @throws {TypeError} If there is no such instruction.
   */
  emit(mnemonic: string, ...operands: readonly AssemblyOperand[]): this {
    const words = mnemonic.split(" ");
    const name = words.pop() ?? "";
    let prefix: number | undefined;
    let [operandSize, addressSize]: (number | undefined)[] = [];
    let isFar = false;
    for (const word of words) {
      const size = /^([ao])(16|32|64)$/.exec(word);
      if (size?.[1] === "o") operandSize = Number(size[2]);
      else if (size !== null) addressSize = Number(size[2]);
      else if (word === "far") isFar = true;
      else if (Object.hasOwn(prefixes, word)) prefix = prefixes[word];
      else throw new TypeError(`"${word}" is no prefix`);
    }
    try {
      const choices = encodings({
        mode: this.#mode,
        mnemonic: mnemonicOf(name),
        ...{ prefix, operandSize, addressSize, isFar, operands },
      });
      this.#items.push({ kind: "code", choices, chosen: 0 });
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      const text = [mnemonic, operands.map(showOperand).join(", ")].join(" ").trimEnd();
      throw new TypeError(`${text}: ${error.message}`);
    }
    return this;
  }

  /** Gives this place a name. */
  label(name: string): this {
    if (this.#known.has(name)) throw new TypeError(`there are two labels "${name}"`);
    this.#known.add(name);
    this.#items.push({ kind: "label", name });
    return this;
  }

  /** Writes bytes. */
  bytes(...values: readonly (number | Uint8Array)[]): this {
    return this.#data(values.flatMap((v) => typeof v === "number" ? [v & 0xff] : [...v]));
  }

  /** Writes text in UTF-8; no zero ends it. */
  text(text: string): this {
    return this.#data([...new TextEncoder().encode(text)]);
  }

  /** Writes numbers of 16 bits. */
  u16(...values: readonly (number | Reference)[]): this {
    return this.#numbers(2, values);
  }

  /** Writes numbers of 32 bits. */
  u32(...values: readonly (number | Reference)[]): this {
    return this.#numbers(4, values);
  }

  /** Writes numbers of 64 bits. */
  u64(...values: readonly (number | bigint | Reference)[]): this {
    return this.#numbers(8, values);
  }

  /** Goes on at the next address that is a multiple. */
  align(multiple: number, fill = 0): this {
    this.#items.push({ kind: "align", to: multiple, fill });
    return this;
  }

  /** Goes on at an address, which must not lie behind. */
  skipTo(address: number, fill = 0): this {
    this.#items.push({ kind: "gap", to: address, fill });
    return this;
  }

  /**
   * The address of a label, once all is placed.
   *
   * @throws {TypeError} If there is none of that name, or {@link finish} was not called.
   */
  address(label: string): number {
    const address = this.#labels.get(label);
    if (address === undefined) throw new TypeError(`there is no label "${label}"`);
    return address;
  }

  /**
   * Places everything and fills in what had to wait for it.
   *
   * @throws {TypeError} If a label is missing.
   * @throws {RangeError} If a jump leads too far, an address does not fit, or a
   *   place to go on at lies behind.
   */
  finish(): Uint8Array<ArrayBuffer> {
    // A jump once made long stays long, so this comes to an end.
    while (this.#grow());
    const out = new Uint8Array(this.#place() - this.#origin);
    let address = this.#origin;
    for (const item of this.#items) {
      const size = sizeOf(item, address);
      const start = address - this.#origin;
      if (item.kind === "code") {
        const encoded = item.choices[item.chosen];
        if (encoded !== undefined) {
          out.set(encoded.bytes, start);
          this.#fill(encoded, address, out.subarray(start, start + size));
        }
      } else if (item.kind !== "label") out.fill(item.fill, start, start + size);
      address += size;
    }
    return out;
  }

  #data(bytes: readonly number[]): this {
    this.#items.push({ kind: "code", choices: [{ bytes, fixups: [] }], chosen: 0 });
    return this;
  }

  #numbers(width: number, values: readonly (number | bigint | Reference)[]): this {
    for (const value of values) {
      const fixup = { at: 0, width, relative: false, bits: 8 * width };
      const plain = typeof value === "object" ? 0n : BigInt(value);
      const bytes = Array.from({ length: width }, (_, n) => Number(plain >> BigInt(8 * n) & 0xffn));
      const fixups = typeof value === "object" ? [{ ...fixup, reference: value }] : [];
      this.#items.push({ kind: "code", choices: [{ bytes, fixups }], chosen: 0 });
    }
    return this;
  }

  /** Gives all labels their addresses; returns the end. */
  #place(): number {
    let address = this.#origin;
    for (const item of this.#items) {
      if (item.kind === "label") this.#labels.set(item.name, address);
      address += sizeOf(item, address);
    }
    return address;
  }

  /** Makes jumps longer that do not reach; false: all do, or cannot be helped. */
  #grow(): boolean {
    this.#place();
    let address = this.#origin;
    let grown = false;
    for (const item of this.#items) {
      const size = sizeOf(item, address);
      if (item.kind === "code" && item.chosen + 1 < item.choices.length) {
        const encoded = item.choices[item.chosen];
        const end = address + size;
        if (encoded?.fixups.some((fixup) => !fits(this.#value(fixup, end), fixup)) === true) {
          item.chosen++;
          grown = true;
        }
      }
      address += size;
    }
    return grown;
  }

  #value({ relative, bits, reference }: Fixup, end: number): bigint {
    const { label, minus, add } = reference;
    const value = (label === undefined ? 0 : this.address(label)) + add -
      (minus === undefined ? 0 : this.address(minus));
    return relative ? BigInt.asIntN(bits, BigInt(value - end)) : BigInt(value);
  }

  #fill({ fixups, bytes }: Encoded, address: number, out: Uint8Array): void {
    for (const fixup of fixups) {
      const value = this.#value(fixup, address + bytes.length);
      if (!fits(value, fixup)) {
        const { label = "", add } = fixup.reference;
        const what = fixup.relative ? "is too far away" : `does not fit ${8 * fixup.width} bits`;
        throw new RangeError(`${label === "" ? `address ${add}` : `label "${label}"`} ${what}`);
      }
      for (let n = 0; n < fixup.width; n++) {
        out[fixup.at + n] = Number(value >> BigInt(8 * n) & 0xffn);
      }
    }
  }
}

type Fixup = Encoded["fixups"][number];

function fits(value: bigint, { relative, width, bits }: Fixup): boolean {
  const signed = BigInt.asIntN(8 * width, value) === value;
  // A displacement of 32 bits is sign-extended to an address of 64.
  return signed || !relative && bits <= 8 * width && BigInt.asUintN(8 * width, value) === value;
}

function sizeOf(item: Item, address: number): number {
  switch (item.kind) {
    case "code":
      return item.choices[item.chosen]?.bytes.length ?? 0;
    case "align":
      return Math.ceil(address / item.to) * item.to - address;
    case "gap":
      if (item.to < address) {
        throw new RangeError(`0x${item.to.toString(16)} lies behind 0x${address.toString(16)}`);
      }
      return item.to - address;
    case "label":
      return 0;
  }
}

/** A mnemonic by its first name. */
function mnemonicOf(name: string): string {
  if (isMnemonic(name)) return name;
  const [, kind = "", condition = ""] = /^(j|set|cmov)(.*)$/.exec(name) ?? [];
  const other = conditions[condition];
  if (other !== undefined) return kind + other;
  if (name === "sal") return "shl";
  throw new TypeError("there is no such instruction");
}
