/**
 * Operands as the assembler takes them: registers by their names, numbers,
 * memory, places that have a label, far pointers.
 *
 * @module
 */

import {
  legacyRegisters8,
  registers16,
  registers32,
  registers64,
  registers8,
  segmentRegisters,
} from "./registers.ts";

/** A register. */
export interface Register {
  /** Tells it from other operands. */
  readonly kind: "register";
  /** As it was written. */
  readonly name: string;
  /** Which file it is of; `pointer` is the instruction pointer, a base only. */
  readonly file:
    | "general"
    | "segment"
    | "control"
    | "debug"
    | "sse"
    | "mmx"
    | "x87"
    | "top"
    | "pointer";
  /** Its number there. */
  readonly number: number;
  /** Width in bits, of a general register or the instruction pointer; else 0. */
  readonly bits: number;
  /** Of a byte: whether it can be named only with, or only without, a REX prefix. */
  readonly rex: "needs" | "forbids" | "either";
}

/** An address that is known when all is placed; a number counted from a label, or a distance. */
export interface Reference {
  /** Tells it from other operands. */
  readonly kind: "reference";
  /** The label counted from; absent: from 0. */
  readonly label?: string;
  /** The label whose address is taken off. */
  readonly minus?: string;
  /** What is added. */
  readonly add: number;
}

/** What a memory operand may say. */
export interface MemoryParts {
  /** Base register: general, or `rip`, to which a label's distance is added. */
  readonly base?: string;
  /** Index register. */
  readonly index?: string;
  /** What the index is multiplied by; default 1. */
  readonly scale?: 1 | 2 | 4 | 8;
  /** Displacement, or the address of a label; default 0. */
  readonly disp?: number | bigint | Reference;
  /** Width in bits; needed where no register says it. */
  readonly size?: number;
  /** Segment register, where it is not the one that the base asks for. */
  readonly segment?: string;
  /** Address size in bits, where no register says it and it is not that of the mode. */
  readonly addressSize?: 16 | 32 | 64;
}

/** Memory. */
export interface Memory extends MemoryParts {
  /** Tells it from other operands. */
  readonly kind: "memory";
}

/** A far pointer. */
export interface FarPointer {
  /** Tells it from other operands. */
  readonly kind: "far";
  /** The selector. */
  readonly selector: number;
  /** The offset. */
  readonly offset: number | Reference;
}

/** An operand: the name of a register, an immediate, or what functions here make. */
export type AssemblyOperand = string | number | bigint | Reference | Memory | FarPointer;

/** Memory: `mem({ base: "ebx", disp: 4 })`. */
export function mem(parts: MemoryParts): Memory {
  return { kind: "memory", ...parts };
}

/** A label's address, or one some bytes behind it; of a jump, where it leads. */
export function at(label: string, add = 0): Reference {
  return { kind: "reference", label, add };
}

/** An address that is known: where a jump leads. */
export function to(address: number): Reference {
  return { kind: "reference", add: address };
}

/** How many bytes lie between two labels. */
export function between(start: string, end: string, add = 0): Reference {
  return { kind: "reference", label: end, minus: start, add };
}

/** A far pointer. */
export function far(selector: number, offset: number | Reference): FarPointer {
  return { kind: "far", selector, offset };
}

let registers: Map<string, Register> | undefined;

/**
 * A register by its name.
 *
 * @throws {TypeError} If there is none of that name.
 */
export function registerNamed(name: string): Register {
  registers ??= allRegisters();
  const found = registers.get(name);
  if (found === undefined) throw new TypeError(`there is no register "${name}"`);
  return found;
}

function allRegisters(): Map<string, Register> {
  const found = new Map<string, Register>();
  const add = (
    names: readonly string[],
    file: Register["file"],
    bits = 0,
    rex: (n: number) => Register["rex"] = () => "either",
  ) =>
    names.forEach((name, number) =>
      found.set(name, { kind: "register", name, file, number, bits, rex: rex(number) })
    );
  const count = (many: number, name: (n: number) => string) =>
    Array.from({ length: many }, (_, n) => name(n));
  add(registers64, "general", 64);
  add(registers32, "general", 32);
  add(registers16, "general", 16);
  add(registers8, "general", 8, (n) => n < 4 ? "either" : "needs");
  add(legacyRegisters8, "general", 8, (n) => n < 4 ? "either" : "forbids");
  add(segmentRegisters, "segment");
  add(count(16, (n) => `cr${n}`), "control");
  add(count(16, (n) => `dr${n}`), "debug");
  add(count(16, (n) => `xmm${n}`), "sse");
  add(count(8, (n) => `mm${n}`), "mmx");
  add(count(8, (n) => `st(${n})`), "x87");
  add(["st"], "top");
  add(["rip"], "pointer", 64);
  add(["eip"], "pointer", 32);
  return found;
}

/** An operand in words, for messages. */
export function showOperand(operand: AssemblyOperand): string {
  if (typeof operand !== "object") return String(operand);
  switch (operand.kind) {
    case "reference":
      return operand.label === undefined ? `to ${operand.add}` : `at "${operand.label}"`;
    case "far":
      return `far ${operand.selector}`;
    case "memory": {
      const { base, index, scale = 1, size = "?" } = operand;
      const parts = [base, index && `${index}*${scale}`].filter((part) => part !== undefined);
      return `${size} bits at [${[...parts, "…"].join("+")}]`;
    }
  }
}
