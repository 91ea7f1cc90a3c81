/**
 * KVM's clock: a page that tells how to make nanoseconds of the time-stamp
 * counter, so that a kernel needs no other clock and measures none.
 *
 * The counter is steady, so both structures are written once, when the guest says
 * where it wants them; again only if it moves its counter.
 *
 * Source: the kernel's Documentation/virt/kvm/x86/msr.rst and
 * arch/x86/include/asm/pvclock-abi.h.
 *
 * @module
 */

import { generalProtection, type Processor } from "../processor.ts";
import { identity } from "./cpuid.ts";

/** Where the guest says where it wants them. */
export const clockMsrs = { wallClock: 0x4b56_4d00, systemTime: 0x4b56_4d01 } as const;

const tscAdjust = 0x3b;
const enabled = 1n;
/** Offset of this processor's counter to others' never changes. */
const steady = 1;

/** Writes words of 32 bits to physical memory. */
function put(cpu: Processor, address: bigint, words: readonly number[]): void {
  words.forEach((word, n) => cpu.mmu.physicalStore(Number(address) + 4 * n, 4, word >>> 0));
}

/** Physical address and size, within memory. */
function requireMemory(cpu: Processor, address: bigint, bytes: number): void {
  if (address + BigInt(bytes) > BigInt(cpu.ram) || (address & 3n) !== 0n) throw generalProtection();
}

/**
 * Writes the time at power-on, where the guest wants it: version, seconds,
 * nanoseconds.
 *
 * @throws {Fault} #GP if there is no memory there.
 */
export function writeWallClock(cpu: Processor, value: bigint): void {
  requireMemory(cpu, value, 12);
  cpu.msrs.set(clockMsrs.wallClock, value);
  put(cpu, value, [2, identity(cpu).startTime, 0]);
}

/**
 * Writes the page of the clock, or gives it up.
 *
 * @throws {Fault} #GP if there is no memory there.
 */
export function writeSystemTime(cpu: Processor, value: bigint): void {
  if ((value & enabled) !== 0n) requireMemory(cpu, value & ~enabled, 32);
  cpu.msrs.set(clockMsrs.systemTime, value);
  moveSystemTime(cpu);
}

/** Writes the page anew, if the guest has one: its counter has moved. */
export function moveSystemTime(cpu: Processor): void {
  const value = cpu.msrs.get(clockMsrs.systemTime) ?? 0n;
  if ((value & enabled) === 0n) return;
  const { multiplier, shift } = scale(identity(cpu).tscHz);
  // The guest's counter stood here at time 0.
  const start = cpu.msrs.get(tscAdjust) ?? 0n;
  put(cpu, value & ~enabled, [
    ...[2, 0], // version, even: complete
    ...[Number(start & 0xffff_ffffn), Number(start >> 32n)],
    ...[0, 0], // nanoseconds at that count
    multiplier,
    (shift & 0xff) | steady << 8,
  ]);
}

/**
 * Nanoseconds are (ticks shifted left by `shift`) times `multiplier` / 2^32; a
 * negative shift is to the right.
 */
export function scale(hz: number): { multiplier: number; shift: number } {
  let shift = 0;
  let factor = 1_000_000_000 / hz;
  for (; factor >= 1; factor /= 2) shift++;
  for (; factor < 0.5; factor *= 2) shift--;
  return { multiplier: Math.floor(factor * 2 ** 32), shift };
}
