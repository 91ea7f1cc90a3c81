/**
 * Made initramfs files: archives of a few members, put together the ways that
 * distributions do.
 *
 * @module
 */

import { gzipSync } from "fflate";
import { type CpioInput, encodeCpio } from "../formats/initramfs/encode_cpio.ts";

const utf8 = new TextEncoder();

/** A directory. */
export function directory(name: string, mode = 0o755): CpioInput {
  return { name, mode: 0o040000 | mode };
}

/** A regular file of some text or bytes. */
export function file(name: string, data: string | Uint8Array, mode = 0o644): CpioInput {
  return { name, mode: 0o100000 | mode, data: typeof data === "string" ? utf8.encode(data) : data };
}

/** A small root file system: /dev/console, /init. */
export const smallRoot: readonly CpioInput[] = [
  directory("dev"),
  { name: "dev/console", mode: 0o020600, rdev: { major: 5, minor: 1 } },
  file("init", "#!/bin/sh\nexec sh\n", 0o755),
];

/** A plain archive with a file of microcode where the kernel looks for it. */
export function microcodeArchive(
  vendor: "GenuineIntel" | "AuthenticAMD",
  data: Uint8Array,
): Uint8Array {
  return encodeCpio([
    directory("kernel"),
    directory("kernel/x86"),
    directory("kernel/x86/microcode"),
    file(`kernel/x86/microcode/${vendor}.bin`, data),
  ]);
}

/** Bytes in gzip, always the same for the same bytes. */
export function gzip(bytes: Uint8Array): Uint8Array {
  return gzipSync(bytes, { mtime: 0 });
}

/** Bytes one after the other. */
export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Zeros. */
export function zeros(size: number): Uint8Array {
  return new Uint8Array(size);
}

/** A bootconfig as it stands at the end of an initramfs. */
export function bootconfig(text: string): Uint8Array {
  const data = utf8.encode(text);
  const padded = joined(data, zeros(-data.length & 3));
  const words = new Uint8Array(8);
  const view = new DataView(words.buffer);
  view.setUint32(0, padded.length, true);
  view.setUint32(4, padded.reduce((sum, byte) => sum + byte, 0), true);
  return joined(padded, words, utf8.encode("#BOOTCONFIG\n"));
}
