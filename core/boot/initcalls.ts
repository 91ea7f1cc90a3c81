/**
 * The kernel's table of initcalls: which level each of them is called at.
 *
 * Source: Linux v6.1 include/linux/init.h (`___define_initcall`), init/main.c
 * (`initcall_levels`), include/asm-generic/vmlinux.lds.h (`INIT_CALLS`).
 *
 * @module
 */

import type { Kernel } from "../kernel.ts";
import type { Guest } from "./guest.ts";
import type { KernelSymbols } from "./symbols.ts";

// Tour timeline 030
//
// Half of a boot is initcalls: hundreds of functions, each with nothing but its
// address in a table. Nine borders cut the table into levels, and the kernel goes
// through it from front to back.
/** Levels by number, as the kernel's `initcall_level_names` has them; the first one less than 0. */
export const initcallLevels = [
  ...["early", "pure", "core", "postcore", "arch", "subsys", "fs", "device", "late"],
] as const;

/** A level's name. */
export type InitcallLevel = string;

/** How an entry says where its function is. */
type Encoding = (at: number, read: (bytes: 4 | 8) => bigint) => bigint;

const encodings: readonly (readonly [size: 4 | 8, decode: Encoding])[] = [
  // A distance from the entry itself: x86-64 since 4.19.
  [4, (at, read) => BigInt.asUintN(64, BigInt(at) + BigInt.asIntN(32, read(4)))],
  [4, (_, read) => read(4)],
  [8, (_, read) => read(8)],
];

/**
 * Levels of the initcalls of a running kernel, by the linear address of the
 * function.
 *
 * @returns Nothing where the table is not found.
 */
export function readInitcalls(
  guest: Guest,
  kernel: Kernel,
  symbols: KernelSymbols,
): ReadonlyMap<number, InitcallLevel> {
  const borders = bordersOf(guest, kernel, symbols);
  const levels = new Map<number, InitcallLevel>();
  const [first, last] = [borders[0], borders.at(-1)];
  if (first === undefined || last === undefined) return levels;
  const table = guest.linearMemory(first, last - first);
  if (table === undefined) return levels;
  const view = new DataView(table.buffer, table.byteOffset, table.length);
  const is64 = first < 0;
  const decode = ([size, of]: typeof encodings[number], at: number) => {
    const read = (bytes: 4 | 8) =>
      bytes === 8 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true));
    if (at + size > table.length) return undefined;
    const target = of(first + at, read);
    return is64 ? Number(BigInt.asIntN(64, target)) : Number(BigInt.asUintN(32, target));
  };
  // The right way to read it leads to beginnings of functions.
  const encoding = encodings.find((encoding) =>
    [0, 1, 2].every((n) => {
      const target = decode(encoding, n * encoding[0]);
      const named = target === undefined ? undefined : symbols.nameOf(target);
      return named?.offset === 0 && named.isCode;
    })
  );
  if (encoding === undefined) return levels;
  for (const [n, from] of borders.entries()) {
    const to = borders[n + 1];
    // Where there is no border before the early ones, the first is that of level 0.
    const level = initcallLevels[n + initcallLevels.length + 1 - borders.length];
    if (to === undefined || level === undefined) continue;
    for (let at = from - first; at < to - first; at += encoding[0]) {
      const target = decode(encoding, at);
      if (target !== undefined) levels.set(target, level);
    }
  }
  return levels;
}

/** Where levels begin, and where the last one ends: linear addresses. */
function bordersOf(guest: Guest, kernel: Kernel, symbols: KernelSymbols): number[] {
  const named = [
    ...["__initcall_start", ...[0, 1, 2, 3, 4, 5, 6, 7].map((n) => `__initcall${n}_start`)],
    "__initcall_end",
  ].map((name) => symbols.addressOf(name));
  if (named.every((address) => address !== undefined)) return named;
  return findLevels(guest, kernel, symbols);
}

/**
 * The kernel's own array of nine addresses, by what it looks like: one behind the
 * other they rise by little, and the first leads to functions.
 */
function findLevels(guest: Guest, { elf }: Kernel, symbols: KernelSymbols): number[] {
  if (elf === undefined || elf.class !== 32) return [];
  for (const { type, vaddr, filesz } of elf.phdrs) {
    if (type !== 1) continue;
    const base = Number(BigInt.asUintN(32, vaddr + BigInt(symbols.slide)));
    const bytes = guest.linearMemory(base, Number(filesz) & ~3);
    if (bytes === undefined) continue;
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    const end = base + bytes.length;
    for (let n = 0; n + 8 < words.length; n++) {
      const nine = words.subarray(n, n + 9);
      const [first, last] = [nine[0] ?? 0, nine[8] ?? 0];
      if (first < base || last > end || last - first < 0x100 || last - first > 0x4000) continue;
      if (nine.some((word, i) => (word & 3) !== 0 || i > 0 && word < (nine[i - 1] ?? 0))) continue;
      const isTable = (relative: boolean) =>
        [0, 1, 2].every((i) => {
          const at = first + 4 * i;
          const word = words[at - base >> 2] ?? 0;
          const named = symbols.nameOf((relative ? at + word : word) >>> 0);
          return named?.offset === 0 && named.isCode;
        });
      if (isTable(true) || isTable(false)) return [...nine];
    }
  }
  return [];
}
