/**
 * A zero page in the making, that remembers who wrote each byte.
 *
 * @module
 */

import { BOOT_PARAMS_SIZE, bootParams } from "../formats/boot_params.ts";
import { hex } from "../formats/errors.ts";
import { encode, type Row, type Structure, type Visited, walk } from "../formats/layout.ts";
import { platformTypes, setupHeader } from "../formats/setup_header.ts";
import { BootError } from "./errors.ts";

/**
 * Who wrote a byte: the image, by its header; the loader; the image's own 16-bit
 * setup code, from what the BIOS told it; the user; or nobody.
 */
export type Owner = "nobody" | "image" | "setup" | "loader" | "user";

const owners: readonly Owner[] = ["nobody", "image", "setup", "loader", "user"];

/** A leaf field of the page. */
export interface ZeroPageField {
  /** `setup_header.cmd_line_ptr`, `boot_params.e820_table[0].addr`. */
  readonly path: string;
  /** Bytes from the start of the page. */
  readonly at: number;
  /** Size in bytes. */
  readonly size: number;
  /** Its row in the table. */
  readonly row: Row;
  /** Who wrote it; where several did, the last of them in the order of a boot. */
  readonly who: Owner;
  /** Its value: a number, a bigint, or bytes. */
  readonly value: unknown;
}

/** A field's path as users write it: the header by its own name. */
function publicPath(path: string): string {
  return path.startsWith("hdr.") ? `setup_header.${path.slice(4)}` : `boot_params.${path}`;
}

/** Whether a protocol version has the header field at this place. */
export function isInProtocol(path: string, version: number): boolean {
  const name = path.replace(/^setup_header\./, "");
  const row: Row | undefined = (setupHeader as Structure).fields[name];
  return row === undefined || (row.since ?? 0) <= (version & 0x7fff);
}

/** The page and its owners. */
export class PageWriter {
  /** The page; written through the methods here. */
  readonly bytes: Uint8Array = new Uint8Array(BOOT_PARAMS_SIZE);
  // Tour handover 030
  //
  // Beside each byte of the page stands who wrote it. Most bugs of loaders are
  // bytes with the wrong author: the image's setup code copied along, or the
  // loader's fields in a header that has none at that place.
  readonly #who = new Uint8Array(BOOT_PARAMS_SIZE);
  #leaves: ReadonlyMap<string, Visited> | undefined;

  /** The leaf a path names, `setup_header.X` or `boot_params.x.y`. */
  #leaf(path: string): Visited {
    this.#leaves ??= new Map([...walk(bootParams)].map((leaf) => [publicPath(leaf.path), leaf]));
    const leaf = this.#leaves.get(path.replace(/^boot_params\.hdr\./, "setup_header."));
    if (leaf !== undefined) return leaf;
    throw new BootError("field", "the name of a field in boot_params", JSON.stringify(path));
  }

  /** Copies bytes to the same place in the page. */
  copy(source: Uint8Array, from: number, to: number, who: Owner): void {
    const bytes = source.subarray(from, Math.min(to, BOOT_PARAMS_SIZE));
    this.bytes.set(bytes, from);
    this.#who.fill(owners.indexOf(who), from, from + bytes.length);
  }

  /** Writes bytes where no field is named, cut off at the end of the page. */
  write(at: number, bytes: Uint8Array, who: Owner): void {
    const part = bytes.subarray(0, BOOT_PARAMS_SIZE - at);
    this.bytes.set(part, at);
    this.#who.fill(owners.indexOf(who), at, at + part.length);
  }

  /** Clears bytes: they are nobody's again. */
  clear(from: number, to: number): void {
    this.bytes.fill(0, from, to);
    this.#who.fill(0, from, to);
  }

  /**
   * Sets a field by its path.
   *
   * @param value A number; for areas of bytes, hexadecimal digits; a name where the
   *   field has names (`lguest`, `LOADED_HIGH|CAN_USE_HEAP`).
   * @throws {BootError} If there is no such field or the value does not fit.
   */
  set(path: string, value: bigint | number | string | Uint8Array, who: Owner): void {
    const { at, size, row } = this.#leaf(path);
    const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
    const bytes = bytesOf(row, size, value);
    if (bytes === undefined) {
      throw new BootError(path, `a value of ${size} ${size === 1 ? "byte" : "bytes"}`, shown);
    }
    this.bytes.set(bytes, at);
    this.#who.fill(owners.indexOf(who), at, at + size);
  }

  /** A number as it stands in the page. */
  get(path: string): bigint {
    const { at, size } = this.#leaf(path);
    return numberAt(this.bytes, at, size);
  }

  /** Who wrote a byte. */
  owner(at: number): Owner {
    return owners[this.#who[at] ?? 0] ?? "nobody";
  }

  /** Every leaf of the page with its owner and value. */
  fields(): ZeroPageField[] {
    return [...walk(bootParams)].map(({ path, at, size, row }) => {
      const last = Math.max(...this.#who.subarray(at, at + size));
      const isNumber = row.type in { u8: 1, u16: 1, u32: 1, u64: 1 };
      const value = numberAt(this.bytes, at, size);
      return {
        path: publicPath(path),
        at,
        size,
        row,
        who: owners[last] ?? "nobody",
        value: !isNumber
          ? this.bytes.slice(at, at + size)
          : row.type === "u64"
          ? value
          : Number(value),
      };
    });
  }
}

function numberAt(bytes: Uint8Array, at: number, size: number): bigint {
  let value = 0n;
  for (let i = Math.min(size, 8) - 1; i >= 0; i--) value = value << 8n | BigInt(bytes[at + i] ?? 0);
  return value;
}

/** A value as the bytes of its field; undefined where it does not fit. */
function bytesOf(
  row: Row,
  size: number,
  value: bigint | number | string | Uint8Array,
): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value.length <= size ? padded(value, size) : undefined;
  if (!(row.type in { u8: 1, u16: 1, u32: 1, u64: 1 })) return hexBytes(value, size);
  const number = typeof value === "string" ? numberOf(row, value.trim()) : value;
  if (number === undefined || (typeof number === "number" && !Number.isSafeInteger(number))) {
    return undefined;
  }
  const whole = BigInt(number);
  if (whole < 0n || whole >> BigInt(8 * size) !== 0n) return undefined;
  const table = { name: "field", size, fields: { value: { at: 0, type: row.type, doc: "" } } };
  return encode(table as Structure, { value: whole } as never, new Uint8Array(size));
}

function padded(bytes: Uint8Array, size: number): Uint8Array {
  const whole = new Uint8Array(size);
  whole.set(bytes);
  return whole;
}

function hexBytes(value: bigint | number | string, size: number): Uint8Array | undefined {
  const digits = typeof value === "string" ? value.replace(/[\s:]|^0x/g, "") : hex(value).slice(2);
  const even = digits.length % 2 === 0 ? digits : `0${digits}`;
  if (!/^[0-9a-f]*$/i.test(even) || even.length > 2 * size) return undefined;
  return padded(Uint8Array.from(even.match(/../g) ?? [], (two) => parseInt(two, 16)), size);
}

function numberOf(row: Row, text: string): bigint | undefined {
  if (/^(0x[0-9a-f]+|\d+)$/i.test(text)) return BigInt(text);
  const platform = platformTypes.findIndex((name) => name === text);
  if (platform >= 0 && row === setupHeader.fields.hardware_subarch) return BigInt(platform);
  const key = Object.entries(row.values ?? {}).find(([, name]) => name === text)?.[0];
  if (key !== undefined) return BigInt(key);
  if (row.bits === undefined) return undefined;
  const bits = Object.entries(row.bits);
  const found = text.split("|").map((part) => bits.find(([, name]) => name === part.trim())?.[0]);
  return found.every((bit) => bit !== undefined)
    ? found.reduce((sum, bit) => sum | 1n << BigInt(bit ?? 0), 0n)
    : undefined;
}
