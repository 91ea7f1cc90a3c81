/**
 * What the notation of a row says, taken apart.
 *
 * @module
 */

import type { Row } from "./row.ts";

const letters = "ACDEGIJMNOPQRSUVWXYZ";

/** Where an operand is: a letter of the opcode map, or a place that the text names. */
export type OperandKind =
  | ("A" | "C" | "D" | "E" | "G" | "I" | "J" | "M" | "N" | "O" | "P" | "Q" | "R" | "S")
  | ("U" | "V" | "W" | "X" | "Y" | "Z")
  | "BBb"
  | "fixed";

/** How wide an operand is, in the letters of the opcode map; empty: it has no width. */
export type SizeCode =
  | ("b" | "bs" | "w" | "d" | "q" | "dq" | "v" | "z" | "y" | "p" | "a" | "s" | "t")
  | ("ss" | "sd" | "ps" | "pd" | "");

/** An operand of a row. */
export interface Operand {
  /** As the row has it. */
  readonly text: string;
  /** Where it is. */
  readonly kind: OperandKind;
  /** How wide; of `Rv/Mw`, `Udq/Md` and their like, the register. */
  readonly size: SizeCode;
  /** How wide it is in memory; the same but for those. */
  readonly memory: SizeCode;
}

/** What a prefix has to do with a row. */
export type PrefixRule = "any" | "np" | "nfx" | "66" | "f2" | "f3";

/** Immediates and distances that follow, in the manual's notation. */
export type ImmediateCode = "ib" | "iw" | "iz" | "iv" | "cb" | "cz" | "cp";

/** A row, taken apart. */
export interface Form {
  /** The row. */
  readonly row: Row;
  /** Which map: 0 one byte, 1 behind 0f, 2 behind 0f 38, 3 behind 0f 3a. */
  readonly map: number;
  /** The opcode within its map; of `50+r` the first. */
  readonly opcode: number;
  /** The low three bits of the opcode choose a register. */
  readonly plusR: boolean;
  /** Prefixes that are part of the opcode. */
  readonly prefix: PrefixRule;
  /** REX.W is part of the opcode. */
  readonly rexW: boolean;
  /** A ModRM byte follows. */
  readonly modrm: boolean;
  /** The ModRM byte's two mod bits mean nothing: it always names registers. */
  readonly registersOnly: boolean;
  /** ModRM forms that fit. */
  readonly mod: "any" | "memory" | "register";
  /** The ModRM byte's middle field, if it is part of the opcode. */
  readonly digit: number | undefined;
  /** The ModRM byte's low field, if it is part of the opcode. */
  readonly rm: number | undefined;
  /** What follows. */
  readonly immediates: readonly ImmediateCode[];
  /** Mnemonics for sizes of 16, 32 and 64 bits. */
  readonly mnemonics: readonly [string, string, string];
  /** Operands, in the manual's order. */
  readonly operands: readonly Operand[];
}

const sizes: readonly string[] = [
  ...["b", "bs", "w", "d", "q", "dq", "v", "z", "y", "p", "a", "s", "t"],
  ...["ss", "sd", "ps", "pd", ""],
];
const immediateCodes: readonly string[] = ["ib", "iw", "iz", "iv", "cb", "cz", "cp"];
const prefixes: readonly string[] = ["np", "nfx", "66", "f2", "f3"];

/**
 * Takes an operand's notation apart.
 *
 * @throws {TypeError} If it is not in the notation.
 */
export function parseOperand(text: string): Operand {
  if (text === "BBb") return { text, kind: "BBb", size: "b", memory: "b" };
  const [register = "", memory] = text.split("/");
  const kind = register.charAt(0);
  const size = register.slice(1);
  const inMemory = memory === undefined ? size : memory.slice(1);
  if (kind !== "" && letters.includes(kind) && sizes.includes(size) && sizes.includes(inMemory)) {
    const either = memory === undefined ? kind : { R: "E", U: "W" }[kind];
    if (either === undefined || memory !== undefined && memory.charAt(0) !== "M") {
      throw new TypeError(`operand "${text}" is not in the notation`);
    }
    return {
      text,
      kind: either as OperandKind,
      size: size as SizeCode,
      memory: inMemory as SizeCode,
    };
  }
  const fixed = fixedSizes[text];
  if (fixed === undefined) throw new TypeError(`operand "${text}" is not in the notation`);
  return { text, kind: "fixed", size: fixed, memory: fixed };
}

/** Operands that the text names, with their sizes. */
const fixedSizes: Readonly<Record<string, SizeCode>> = {
  ...{ AL: "b", CL: "b", AX: "w", DX: "w", eAX: "z", rAX: "v", "1": "b" },
  ...{ ES: "w", CS: "w", SS: "w", DS: "w", FS: "w", GS: "w" },
  ...{ ST: "t", STi: "t", XMM0: "dq" },
};

/**
 * Takes rows apart, one after the other.
 *
 * @throws {TypeError} As {@link parseRow}.
 */
export function parseRows(rows: readonly Row[]): Form[] {
  // Few notations stand for all operands, so each is taken apart once.
  const known = new Map<string, Operand>();
  const operand = (text: string) => {
    let parsed = known.get(text);
    if (parsed === undefined) known.set(text, parsed = parseOperand(text));
    return parsed;
  };
  return rows.map((row) => parseRow(row, operand));
}

/**
 * Takes a row apart.
 *
 * @param operand What takes its operands apart.
 * @throws {TypeError} If it is not in the notation, or opcode and text disagree.
 */
export function parseRow(row: Row, operand: (text: string) => Operand = parseOperand): Form {
  const wrong = (why: string) => new TypeError(`row "${row.opcode}" "${row.text}": ${why}`);
  const [mnemonic = "", ...rest] = row.text.split(" ");
  const operands = rest.map((text) => operand(text.endsWith(",") ? text.slice(0, -1) : text));
  const names = mnemonic.split("|");
  const [first = "", second = first, third = first] = names;

  const tokens = row.opcode.split(" ");
  const take = (...wanted: readonly string[]) => {
    const [token] = tokens;
    return token !== undefined && wanted.includes(token) ? tokens.shift() : undefined;
  };
  const prefix = (take(...prefixes) ?? "any") as PrefixRule;
  const rexW = take("rex.w") !== undefined;
  const map = take("0f") === undefined ? 0 : take("38") ? 2 : take("3a") ? 3 : 1;
  const opcode = /^([0-9a-f]{2})(\+r)?$/.exec(tokens.shift() ?? "");
  if (opcode === null) throw wrong("has no opcode");

  let modrm = false;
  let only: "memory" | "register" | undefined;
  let digit: number | undefined;
  let rm: number | undefined;
  // "cb" may be a ModRM byte or a distance; then the text has one, too.
  const isDistance = tokens[0] === "cb" && operands.some(({ kind }) => kind === "J");
  const whole = isDistance ? null : /^([0-9a-f]{2})(\+i)?$/.exec(tokens[0] ?? "");
  const slash = /^\/([r0-7])$/.exec(tokens[0] ?? "");
  if (whole !== null) {
    tokens.shift();
    const byte = parseInt(whole[1] ?? "", 16);
    [modrm, only, digit] = [true, "register", byte >> 3 & 7];
    if (whole[2] === undefined) rm = byte & 7;
  } else if (slash !== null) {
    tokens.shift();
    modrm = true;
    if (slash[1] !== "r") digit = Number(slash[1]);
    if (take("11b") !== undefined) only = "register";
  }
  const immediates = tokens.map((token) => {
    if (!immediateCodes.includes(token)) throw wrong(`"${token}" is not in the notation`);
    return token as ImmediateCode;
  });

  const kinds = operands.map(({ kind }) => kind);
  if (kinds.includes("M")) only ??= "memory";
  if (kinds.some((kind) => "RUN".includes(kind))) only ??= "register";
  const usesModrm = kinds.some((kind) => "EGMRSCDVWUPQN".includes(kind));
  if (usesModrm && !modrm) throw wrong("operands want a ModRM byte");
  const wanted = kinds.filter((kind) => "IJA".includes(kind)).length;
  if (wanted !== immediates.length) throw wrong("immediates of opcode and text disagree");
  return {
    row,
    map,
    opcode: parseInt(opcode[1] ?? "", 16),
    plusR: opcode[2] !== undefined,
    prefix,
    rexW,
    modrm,
    registersOnly: kinds.some((kind) => kind === "C" || kind === "D"),
    mod: only ?? "any",
    digit,
    rm,
    immediates,
    mnemonics: [first, second, third],
    operands,
  };
}
