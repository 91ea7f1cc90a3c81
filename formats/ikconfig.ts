/**
 * The configuration a kernel was built with: found inside the kernel
 * (CONFIG_IKCONFIG), and read from its text.
 *
 * In the kernel it lies as a gzip stream between the letters "IKCFG_ST" and
 * "IKCFG_ED". As text it is the `.config` of the build, as distributions also put
 * it next to the kernel.
 *
 * Source: kernel/configs.c; Documentation/kbuild/kconfig-language.rst.
 *
 * @module
 */

import { findSequence } from "./_find.ts";

/** A kernel's configuration: option, as `CONFIG_X86_64`, to value, in the text's order. */
export type Config = ReadonlyMap<string, string>;

/** Where the compressed configuration is, in bytes. */
export interface FoundConfig {
  /** Where the gzip stream starts. */
  readonly offset: number;
  /** Its length. */
  readonly length: number;
}

const START = "IKCFG_ST";
const END = "IKCFG_ED";

/**
 * Finds the built-in configuration in an unpacked kernel.
 *
 * @returns The gzip stream's place; `undefined` where there is none.
 */
export function findIkconfig(bytes: Uint8Array): FoundConfig | undefined {
  for (
    let start = findSequence(bytes, START);
    start >= 0;
    start = findSequence(bytes, START, start + START.length)
  ) {
    // The letters alone may also belong to a program that looks for them.
    const offset = start + START.length;
    if (bytes[offset] !== 0x1f || bytes[offset + 1] !== 0x8b) continue;
    const end = findSequence(bytes, END, offset);
    return end < 0 ? undefined : { offset, length: end - offset };
  }
  return undefined;
}

/**
 * Reads the built-in configuration of an unpacked kernel, as text.
 *
 * @param options `limit`: the most bytes the text may have; a kernel's are some
 *   300 KB.
 * @returns `undefined` where there is none.
 * @throws {FormatError} If the stream is damaged or the text longer.
 */
export async function readIkconfig(
  bytes: Uint8Array,
  options: { readonly limit: number },
): Promise<string | undefined> {
  const found = findIkconfig(bytes);
  if (!found) return undefined;
  const { decompress } = await import("./payload/decompress.ts");
  const stream = bytes.subarray(found.offset, found.offset + found.length);
  const result = await decompress("gzip", stream, { limit: options.limit });
  return new TextDecoder().decode(result.bytes);
}

/**
 * Reads the text of a configuration.
 *
 * @returns Options in the text's order. An option that "is not set" is "n";
 *   strings keep their quotes, so that what two kernels have can be compared
 *   letter by letter. Other comments and lines that are none are passed over.
 */
export function decodeConfig(text: string): Config {
  const options = new Map<string, string>();
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf("\n", start);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(start, end).trim();
    start = end + 1;
    const set = line.match(/^(CONFIG_\w+)=(.*)$/);
    const unset = set ? null : line.match(/^# (CONFIG_\w+) is not set$/);
    const [, name, value = "n"] = set ?? unset ?? [];
    // The last line for an option counts, as it does for make.
    if (name !== undefined) options.set(name, value);
  }
  return options;
}

/** An option's value as the kernel sees it: quotes off, `\"` and `\\` undone. */
export function configString(value: string): string {
  return /^".*"$/s.test(value) ? value.slice(1, -1).replace(/\\(.)/gs, "$1") : value;
}
