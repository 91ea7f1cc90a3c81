/**
 * How answers of two x87 units are compared.
 *
 * @module
 */

import type { Group, X87Answer, X87Case } from "./x87_cases.ts";

/** How many cases each form of a group has. */
export function leastOf(group: Group): number {
  return { arithmetic: 60, compare: 60, move: 60, constant: 150, transcendental: 250, control: 50 }[
    group
  ];
}

/** A register of an image as a whole number that counts the format's values in order. */
function ordinal(view: DataView, n: number): bigint {
  const high = view.getUint16(40 + 16 * n, true);
  const magnitude = BigInt(high & 0x7fff) << 63n |
    BigInt.asUintN(63, view.getBigUint64(32 + 16 * n, true));
  return high >> 15 === 1 ? -magnitude : magnitude;
}

/** In what two answers differ, in words; a colon begins what belongs to the one case. */
export function differences(group: Group, one: X87Case, a: X87Answer, b: X87Answer): string[] {
  const found: string[] = [];
  const [first, second] = [a, b].map(({ image }) =>
    new DataView(image.buffer, image.byteOffset)
  ) as [
    DataView,
    DataView,
  ];
  const word = (view: DataView, at: number) => view.getUint16(at, true);
  const loose = group === "transcendental";
  if (word(first, 0) !== word(second, 0)) found.push("control");
  const status = word(first, 2) ^ word(second, 2);
  const names: Readonly<Record<string, number>> = {
    ...{ IE: 1, DE: 2, ZE: 4, OE: 8, UE: 16, PE: 32, SF: 64, ES: 128, B: 0x8000, TOP: 0x3800 },
    ...{ C0: 0x100, C1: 0x200, C2: 0x400, C3: 0x4000 },
  };
  for (const [name, bits] of Object.entries(names)) {
    if ((status & bits) === 0) continue;
    // Which way a transcendental result was rounded depends on its last place.
    const faults =
      (word(first, 2) & ~new DataView(one.image.buffer).getUint16(2, true) & 0x40) !== 0;
    if (loose && name === "C1" && !faults) continue;
    found.push(name);
  }
  if (a.image[4] !== b.image[4]) found.push("tags");
  if (word(first, 6) !== word(second, 6)) found.push("opcode");
  if (first.getBigUint64(8, true) !== second.getBigUint64(8, true)) found.push("ip");
  if (first.getBigUint64(16, true) !== second.getBigUint64(16, true)) found.push("dp");
  if (first.getBigUint64(24, true) !== second.getBigUint64(24, true)) found.push("mxcsr");
  for (let n = 0; n < 8; n++) {
    const [x, y] = [ordinal(first, n), ordinal(second, n)];
    const exact =
      first.getBigUint64(32 + 16 * n, true) === second.getBigUint64(32 + 16 * n, true) &&
      first.getBigUint64(40 + 16 * n, true) === second.getBigUint64(40 + 16 * n, true);
    if (exact) continue;
    const distance = x > y ? x - y : y - x;
    if (!loose || distance > 1n) found.push(`ST${n}: by ${distance.toString(16)}`);
  }
  for (let n = 160; n < 512; n++) {
    if (a.image[n] !== b.image[n]) {
      found.push("vectors");
      break;
    }
  }
  if (a.flags !== b.flags) found.push("flags");
  if (a.rax !== b.rax) found.push("rax");
  const at = a.data.findIndex((byte, n) => byte !== b.data[n]);
  if (at >= 0) {
    found.push(`data: at ${at - 0x40} was ${one.data[at]} is ${a.data[at]} here ${b.data[at]}`);
  }
  return found;
}
