/**
 * A structure as C text with the offset and size of every member beside it, the
 * way pahole prints them.
 *
 * ```c
 * struct boot_e820_entry {
 * 	__u64                      addr;                 /&#42;     0     8 &#42;/
 * ```
 *
 * A comment has the offset in bytes, of a bit field the bit behind a colon, and
 * the size in bytes. All offsets count from the start of the outermost structure.
 *
 * @module
 */

import { declaration, type Types } from "./declaration.ts";
import { elementType, memberBudget, nestedIn, placeMember } from "./layout.ts";
import type { BtfComposite, BtfEnumValue } from "./types.ts";

/** How to print a structure. */
export interface PrintOptions {
  /** Whether named structures are printed with their members too; default false. */
  readonly expand?: boolean;
}

/** Where the names and the comments start, with tabs of eight columns. */
const NAME_COLUMN = 35;
const COMMENT_COLUMN = 57;

/** What one pass over the members of a structure found. */
interface Tally {
  holes: number;
  holeBits: number;
  padding: number;
}

/**
 * Prints a structure or union.
 *
 * @throws {FormatError} If its types are circular, too many or lead nowhere.
 */
export function printType(types: Types, type: BtfComposite, options: PrintOptions = {}): string {
  const lines: string[] = [`${heading(type)} {`];
  const spend = memberBudget(type);
  const tally = printMembers(types, type, 0, 1, lines, spend, options.expand ?? false);
  const facts = [`size: ${type.size}`, `members: ${type.members.length}`];
  if (tally.holes > 0) facts.push(`holes: ${tally.holes}`, `sum holes: ${amount(tally.holeBits)}`);
  if (tally.padding > 0) facts.push(`padding: ${amount(tally.padding)}`);
  lines.push("", `\t/* ${facts.join(", ")} */`, "};");
  return lines.join("\n");
}

function heading(type: BtfComposite): string {
  return `${type.kind.toLowerCase()} ${type.name}`.trimEnd();
}

function printMembers(
  types: Types,
  type: BtfComposite,
  base: number,
  depth: number,
  lines: string[],
  spend: (depth: number) => void,
  expand: boolean,
): Tally {
  const tabs = "\t".repeat(depth);
  const tally: Tally = { holes: 0, holeBits: 0, padding: 0 };
  let end = 0; // in bits
  for (const member of type.members) {
    spend(depth);
    const { at, size, bitOffset, bitSize } = placeMember(types, member);
    const start = 8 * at + (bitOffset ?? 0);
    if (type.kind === "STRUCT" && start > end) {
      tally.holes++;
      tally.holeBits += start - end;
      lines.push("", `${tabs}/* hole of ${amount(start - end, "byte")} */`, "");
    }
    end = Math.max(end, start + (bitSize ?? 8 * size));

    const comment = `/* ${
      bitOffset === undefined
        ? `${pad(base + at, 5)} ${pad(size, 5)}`
        : `${pad(base + at, 5)}:${pad(bitOffset, 2)} ${pad(size, 2)}`
    } */`;
    const width = bitSize === undefined ? "" : `:${bitSize}`;
    const nested = nestedIn(types, member.type);
    const { type: text, ...declared } = declaration(types, member.type, member.name + width);
    // BTF writes a flexible array as one of no elements. C allows it last, and not alone.
    const isLast = member === type.members.at(-1) && type.members.length > 1;
    const declarator = isLast && type.kind === "STRUCT"
      ? declared.declarator.replace(/^(\w+)\[0\]/, "$1[]")
      : declared.declarator;
    const values = text.endsWith("enum { ... }") ? valuesOf(types, member.type) : [];
    // A nameless structure under a typedef has a name to print after all.
    if (nested !== undefined && (expand || text.endsWith("{ ... }"))) {
      const opening = text.replace(/ \{ \.\.\. \}$/, "");
      lines.push(`${tabs}${opening} {`);
      printMembers(types, nested, base + at, depth + 1, lines, spend, expand);
      lines.push(columns(depth, `}${declarator && ` ${declarator}`};`, comment));
    } else if (values.length > 0) {
      lines.push(`${tabs}${text.replace(/ \{ \.\.\. \}$/, "")} {`);
      for (const { name, value } of values) lines.push(`${tabs}\t${name} = ${value},`);
      lines.push(columns(depth, `} ${declarator};`, comment));
    } else {
      const name = text.padEnd(NAME_COLUMN - 8 * depth - 1);
      lines.push(columns(depth, `${name} ${declarator};`, comment));
    }
  }
  if (type.kind === "STRUCT") tally.padding = Math.max(0, 8 * type.size - end);
  return tally;
}

/** The values of the nameless enumeration that a member holds, perhaps in an array. */
function valuesOf(types: Types, id: number): readonly BtfEnumValue[] {
  const type = elementType(types, id);
  return type.kind === "ENUM" || type.kind === "ENUM64" ? type.values : [];
}

function columns(depth: number, text: string, comment: string): string {
  return `${"\t".repeat(depth)}${text.padEnd(COMMENT_COLUMN - 8 * depth - 1)} ${comment}`;
}

function pad(value: number, width: number): string {
  return String(value).padStart(width);
}

/** Bits as bytes where they are whole ones. */
function amount(bits: number, unit = ""): string {
  const [n, of] = bits % 8 === 0 ? [bits / 8, unit] : [bits, unit && "bit"];
  if (of === "") return bits % 8 === 0 ? String(n) : `${n} bits`;
  return `${n} ${of}${n === 1 ? "" : "s"}`;
}
