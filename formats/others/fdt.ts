/**
 * Flattened device trees: a tree of nodes and properties in one block of bytes.
 *
 * A header of big-endian words points to three blocks: reserved stretches of
 * memory, the tree as a row of tokens, and the names of properties. The kernel
 * takes one by `setup_data`, a FIT image is one.
 *
 * Source: Devicetree Specification v0.4, chapter 5, "Flattened Devicetree (DTB)
 * Format".
 *
 * @module
 */

import type { Complaint } from "../complaint.ts";
import { FormatError, hex, need } from "../errors.ts";
import { type Decoded, type Structure } from "../layout.ts";
import { decodeBigEndian } from "./big_endian.ts";

/** The magic of a flattened device tree, as a big-endian word. */
export const FDT_MAGIC = 0xd00dfeed;

/** struct fdt_header; all words big endian. */
export const fdtHeader = {
  name: "fdt_header",
  size: 40,
  fields: {
    magic: {
      at: 0x00,
      type: "u32",
      doc: "0xd00dfeed.",
      check: (n: number): string | undefined =>
        n === FDT_MAGIC ? undefined : `needs ${hex(FDT_MAGIC)}, found ${hex(n, 8)}`,
    },
    totalsize: { at: 0x04, type: "u32", doc: "Bytes of the whole block, gaps included." },
    off_dt_struct: { at: 0x08, type: "u32", doc: "Where the tree's tokens are." },
    off_dt_strings: { at: 0x0c, type: "u32", doc: "Where the properties' names are." },
    off_mem_rsvmap: { at: 0x10, type: "u32", doc: "Where the reserved stretches are listed." },
    version: { at: 0x14, type: "u32", doc: "Version of the format; 17 is today's." },
    last_comp_version: { at: 0x18, type: "u32", doc: "Oldest version that it can be read as." },
    boot_cpuid_phys: { at: 0x1c, type: "u32", doc: "Number of the processor that boots." },
    size_dt_strings: { at: 0x20, type: "u32", doc: "Bytes of the names." },
    size_dt_struct: { at: 0x24, type: "u32", doc: "Bytes of the tokens; version 17 on." },
  },
} as const satisfies Structure;

/** A property: a name and bytes whose meaning goes by the name. */
export interface FdtProperty {
  /** Its name. */
  readonly name: string;
  /** Its bytes, a view of the input. */
  readonly value: Uint8Array;
  /** Where its bytes are, from the start of the tree's block. */
  readonly offset: number;
}

/** A node of the tree. */
export interface FdtNode {
  /** Its name with its unit address, "memory@0"; the root's is empty. */
  readonly name: string;
  /** Its properties in their order. */
  readonly properties: readonly FdtProperty[];
  /** Its children in their order. */
  readonly children: readonly FdtNode[];
}

/** A stretch of memory to be left alone. */
export interface FdtReserve {
  /** Physical address. */
  readonly address: bigint;
  /** Bytes. */
  readonly size: bigint;
}

/** A decoded device tree. */
export interface Fdt {
  /** The header. */
  readonly header: Decoded<typeof fdtHeader>;
  /** Memory to be left alone. */
  readonly reserved: readonly FdtReserve[];
  /** The root node; of a damaged tree, what could be read. */
  readonly root: FdtNode;
  /** What is wrong; offsets from the start of the tree's block. */
  readonly complaints: readonly Complaint[];
}

/** Deepest nesting that is followed; real trees stay below 10. */
const DEEPEST = 64;

/** Longest name of a property that is followed; the specification has 31 characters. */
const LONGEST_NAME = 256;

const BEGIN_NODE = 1;
const END_NODE = 2;
const PROP = 3;
const NOP = 4;
const END = 9;

interface Open {
  readonly name: string;
  readonly properties: FdtProperty[];
  readonly children: Open[];
}

/**
 * Reads a device tree.
 *
 * @param bytes The tree, perhaps with more behind it.
 * @param at Where it starts, in bytes; default 0.
 * @throws {FormatError} If the header is not there, has another magic or points
 *   outside the input.
 */
export function decodeFdt(bytes: Uint8Array, at = 0): Fdt {
  const header = decodeBigEndian(fdtHeader, bytes, at);
  const place = (field: keyof typeof fdtHeader.fields) => ({
    structure: "fdt_header",
    field,
    offset: at + fdtHeader.fields[field].at,
  });
  if (header.magic !== FDT_MAGIC) {
    throw new FormatError(place("magic"), fdtHeader.fields.magic.check(header.magic) ?? "");
  }
  if (header.last_comp_version > 17) {
    throw new FormatError(
      place("last_comp_version"),
      `needs a version up to 17, found ${header.last_comp_version}`,
    );
  }
  const complaints: Complaint[] = [];
  const complain = (offset: number, rule: string, message: string) =>
    complaints.push({ severity: "error", offset, rule: `fdt.${rule}`, message });
  const whole = Math.min(header.totalsize, bytes.length - at);
  if (whole < header.totalsize) {
    complain(
      fdtHeader.fields.totalsize.at,
      "truncated",
      `needs ${header.totalsize} bytes, the input ends at ${hex(bytes.length)}`,
    );
  }
  const block = bytes.subarray(at, at + whole);
  need(block, { structure: "fdt", field: "structure block", offset: header.off_dt_struct }, 4);
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);

  const reserved: FdtReserve[] = [];
  for (let i = header.off_mem_rsvmap;; i += 16) {
    if (i + 16 > block.length) {
      complain(i, "reserve-map", "the list of reserved memory has no end");
      break;
    }
    const entry = { address: view.getBigUint64(i), size: view.getBigUint64(i + 8) };
    if (entry.address === 0n && entry.size === 0n) break;
    reserved.push(entry);
  }

  const names = block.subarray(
    header.off_dt_strings,
    header.version >= 3 ? header.off_dt_strings + header.size_dt_strings : block.length,
  );
  const utf8 = new TextDecoder();
  // Many properties share a name, and a damaged tree may point all of them at one long text.
  const known = new Map<number, string>();
  const nameAt = (offset: number): string | undefined => {
    const before = known.get(offset);
    if (before !== undefined) return before;
    const text = names.subarray(offset, offset + LONGEST_NAME);
    const nul = text.indexOf(0);
    if (nul < 0) return undefined;
    const name = utf8.decode(text.subarray(0, nul));
    known.set(offset, name);
    return name;
  };
  const end = header.version >= 17
    ? Math.min(block.length, header.off_dt_struct + header.size_dt_struct)
    : block.length;

  let root: Open | undefined;
  const open: Open[] = [];
  let i = header.off_dt_struct;
  const align = (n: number) => Math.ceil(n / 4) * 4;
  for (;;) {
    if (i + 4 > end) {
      complain(i, "no-end", "the tree's tokens end without FDT_END");
      break;
    }
    const token = view.getUint32(i);
    const node = open.at(-1);
    if (token === BEGIN_NODE) {
      const nul = block.indexOf(0, i + 4);
      if (nul < 0 || nul >= end) {
        complain(i + 4, "node-name", "a node's name has no end");
        break;
      }
      const made = { name: utf8.decode(block.subarray(i + 4, nul)), properties: [], children: [] };
      if (open.length >= DEEPEST || (node === undefined && root !== undefined)) {
        complain(i, "nesting", node ? `deeper than ${DEEPEST} nodes` : "a second root");
        break;
      }
      node?.children.push(made);
      root ??= made;
      open.push(made);
      i = align(nul + 1);
    } else if (token === END_NODE) {
      if (open.pop() === undefined) {
        complain(i, "nesting", "a node ends that never began");
        break;
      }
      i += 4;
    } else if (token === PROP) {
      if (i + 12 > end) {
        complain(i, "truncated", `a property needs 12 bytes, the tokens end at ${hex(end)}`);
        break;
      }
      const size = view.getUint32(i + 4);
      // Before version 16 long values were aligned to eight bytes.
      const offset = header.version < 16 && size >= 8 ? Math.ceil((i + 12) / 8) * 8 : i + 12;
      if (node === undefined || offset + size > end) {
        complain(
          i,
          node ? "truncated" : "nesting",
          node
            ? `a property needs ${size} bytes, the tokens end at ${hex(end)}`
            : "a property outside any node",
        );
        break;
      }
      const name = nameAt(view.getUint32(i + 8));
      if (name === undefined) complain(i + 8, "property-name", "a property's name is not there");
      node.properties.push({
        name: name ?? "?",
        value: block.subarray(offset, offset + size),
        offset,
      });
      i = align(offset + size);
    } else if (token === NOP) {
      i += 4;
    } else if (token === END) {
      if (open.length > 0) complain(i, "nesting", `${open.length} nodes are not ended`);
      break;
    } else {
      complain(i, "token", `needs a token, found ${hex(token)}`);
      break;
    }
  }
  return {
    header,
    reserved,
    root: root ?? { name: "", properties: [], children: [] },
    complaints,
  };
}

/** The child of that name, its unit address left out or given. */
export function child(node: FdtNode, name: string): FdtNode | undefined {
  return node.children.find((c) => c.name === name || c.name.split("@")[0] === name);
}

/** A property of a node. */
export function property(node: FdtNode, name: string): FdtProperty | undefined {
  return node.properties.find((p) => p.name === name);
}

/** A property's value as text, or `undefined` if it is none. */
export function textOf(node: FdtNode, name: string): string | undefined {
  const value = property(node, name)?.value;
  return value && stringsOf(value)?.join(", ");
}

/** A property's value as one big-endian number of 4 or 8 bytes. */
export function numberOf(node: FdtNode, name: string): number | bigint | undefined {
  const value = property(node, name)?.value;
  if (value === undefined) return undefined;
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  if (value.length === 4) return view.getUint32(0);
  return value.length === 8 ? view.getBigUint64(0) : undefined;
}

/** A list of strings, each with its NUL, of printable characters; else `undefined`. */
function stringsOf(value: Uint8Array): readonly string[] | undefined {
  if (value.length === 0 || value.at(-1) !== 0) return undefined;
  const strings = new TextDecoder().decode(value.subarray(0, -1)).split("\0");
  return strings.every((s) => s !== "" && /^[^\p{Cc}\ufffd]*$/u.test(s)) ? strings : undefined;
}

/** How much of a property's value is shown at most, in bytes. */
const MOST_SHOWN = 64;

/** A property as device tree source has it: `compatible = "arm,pl011";`. */
export function showProperty({ name, value }: FdtProperty): string {
  if (value.length === 0) return `${name};`;
  const strings = stringsOf(value);
  if (strings !== undefined) {
    return `${name} = ${strings.map((s) => JSON.stringify(s)).join(", ")};`;
  }
  const shown = value.subarray(0, MOST_SHOWN);
  const more = value.length > MOST_SHOWN ? ` /* ${value.length} bytes in all */` : "";
  const digits = Array.from(shown, (byte) => byte.toString(16).padStart(2, "0"));
  if (value.length % 4 !== 0) return `${name} = [${digits.join(" ")}]${more};`;
  const cells = [];
  for (let i = 0; i < digits.length; i += 4) cells.push(`0x${digits.slice(i, i + 4).join("")}`);
  return `${name} = <${cells.join(" ")}>${more};`;
}

/** A node and all below it as device tree source, one line each. */
export function* showTree(node: FdtNode, depth = 0): Generator<string> {
  const indent = "\t".repeat(depth);
  yield `${indent}${node.name || "/"} {`;
  for (const property of node.properties) yield `${indent}\t${showProperty(property)}`;
  for (const below of node.children) yield* showTree(below, depth + 1);
  yield `${indent}};`;
}
