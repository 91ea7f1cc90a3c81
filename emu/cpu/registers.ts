/**
 * Names of registers.
 *
 * @module
 */

const eight = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
const numbered = [8, 9, 10, 11, 12, 13, 14, 15].map((n) => `r${n}`);

/** General registers of 64 bits, in the order of their numbers. */
export const registers64: readonly string[] = [...eight.map((name) => `r${name}`), ...numbered];
/** Their low 32 bits. */
export const registers32: readonly string[] = [
  ...eight.map((name) => `e${name}`),
  ...numbered.map((name) => `${name}d`),
];
/** Their low 16 bits. */
export const registers16: readonly string[] = [...eight, ...numbered.map((name) => `${name}w`)];
/** Their low 8 bits, as an instruction with a REX prefix sees them. */
export const registers8: readonly string[] = [
  ...["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"],
  ...numbered.map((name) => `${name}b`),
];
/** Bytes that an instruction without REX prefix can name. */
export const legacyRegisters8: readonly string[] = [
  ...["al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"],
];
/** Segment registers; the last two numbers have none. */
export const segmentRegisters: readonly string[] = ["es", "cs", "ss", "ds", "fs", "gs"];

/** The name of a general register; of a byte, as with or without REX prefix. */
export function registerName(number: number, bits: number, rex: boolean): string {
  const names = bits === 64
    ? registers64
    : bits === 32
    ? registers32
    : bits === 16
    ? registers16
    : rex
    ? registers8
    : legacyRegisters8;
  return names[number] ?? "?";
}
