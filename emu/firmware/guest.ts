/**
 * What a BIOS service sees of its caller: registers, memory, and the frame to
 * which it will return.
 *
 * @module
 */

import type { Bus, Width } from "../bus.ts";
import { eflag, type Processor } from "../cpu/processor.ts";
import type { GuestMemory } from "../guest_memory.ts";

/** Numbers of the general registers. */
const [AX, CX, DX, BX, SP, BP, SI, DI] = [0, 1, 2, 3, 4, 5, 6, 7] as const;

/** A caller in real mode. */
export class Guest {
  /** The processor. */
  readonly cpu: Processor;
  /** Ports, and memory that is no RAM. */
  readonly bus: Bus;
  readonly #memory: GuestMemory;
  readonly #scratch = new Uint8Array(4);
  readonly #view = new DataView(this.#scratch.buffer);

  /** A caller on this processor. */
  constructor(cpu: Processor, bus: Bus, memory: GuestMemory) {
    this.cpu = cpu;
    this.bus = bus;
    this.#memory = memory;
  }

  /** AX. */
  get ax(): number {
    return this.#word(AX);
  }
  set ax(value: number) {
    this.#setWord(AX, value);
  }
  /** BX. */
  get bx(): number {
    return this.#word(BX);
  }
  set bx(value: number) {
    this.#setWord(BX, value);
  }
  /** CX. */
  get cx(): number {
    return this.#word(CX);
  }
  set cx(value: number) {
    this.#setWord(CX, value);
  }
  /** DX. */
  get dx(): number {
    return this.#word(DX);
  }
  set dx(value: number) {
    this.#setWord(DX, value);
  }
  /** SI. */
  get si(): number {
    return this.#word(SI);
  }
  set si(value: number) {
    this.#setWord(SI, value);
  }
  /** DI. */
  get di(): number {
    return this.#word(DI);
  }
  set di(value: number) {
    this.#setWord(DI, value);
  }
  /** BP. */
  get bp(): number {
    return this.#word(BP);
  }
  set bp(value: number) {
    this.#setWord(BP, value);
  }
  /** AL. */
  get al(): number {
    return this.ax & 0xff;
  }
  set al(value: number) {
    this.ax = this.ax & 0xff00 | value & 0xff;
  }
  /** AH. */
  get ah(): number {
    return this.ax >> 8;
  }
  set ah(value: number) {
    this.ax = this.ax & 0xff | value << 8;
  }
  /** BL. */
  get bl(): number {
    return this.bx & 0xff;
  }
  set bl(value: number) {
    this.bx = this.bx & 0xff00 | value & 0xff;
  }
  /** BH. */
  get bh(): number {
    return this.bx >> 8;
  }
  set bh(value: number) {
    this.bx = this.bx & 0xff | value << 8;
  }
  /** CL. */
  get cl(): number {
    return this.cx & 0xff;
  }
  set cl(value: number) {
    this.cx = this.cx & 0xff00 | value & 0xff;
  }
  /** CH. */
  get ch(): number {
    return this.cx >> 8;
  }
  set ch(value: number) {
    this.cx = this.cx & 0xff | value << 8;
  }
  /** DL. */
  get dl(): number {
    return this.dx & 0xff;
  }
  set dl(value: number) {
    this.dx = this.dx & 0xff00 | value & 0xff;
  }
  /** DH. */
  get dh(): number {
    return this.dx >> 8;
  }
  set dh(value: number) {
    this.dx = this.dx & 0xff | value << 8;
  }
  /** EAX. */
  get eax(): number {
    return this.cpu.low(AX);
  }
  set eax(value: number) {
    this.cpu.setAddress(AX, value, 32);
  }
  /** EBX. */
  get ebx(): number {
    return this.cpu.low(BX);
  }
  set ebx(value: number) {
    this.cpu.setAddress(BX, value, 32);
  }
  /** ECX. */
  get ecx(): number {
    return this.cpu.low(CX);
  }
  set ecx(value: number) {
    this.cpu.setAddress(CX, value, 32);
  }
  /** EDX. */
  get edx(): number {
    return this.cpu.low(DX);
  }
  set edx(value: number) {
    this.cpu.setAddress(DX, value, 32);
  }
  /** EDI. */
  get edi(): number {
    return this.cpu.low(DI);
  }

  /** Physical address of an offset in ES. */
  es(offset: number): number {
    return this.#linear(0, offset);
  }

  /** Physical address of an offset in DS. */
  ds(offset: number): number {
    return this.#linear(3, offset);
  }

  /** Loads ES. */
  setEs(selector: number): void {
    const [es] = this.cpu.segments;
    es.selector = selector;
    es.base = selector << 4;
    this.cpu.refresh();
  }

  /** Carry as the caller will find it: how services say that they failed. */
  set carry(value: boolean) {
    this.#setFlag(eflag.CF, value);
  }

  /** The zero flag as the caller will find it. */
  set zero(value: boolean) {
    this.#setFlag(eflag.ZF, value);
  }

  /** The carry flag that the stub in ROM sees: there is more to do than to return. */
  set branch(value: boolean) {
    const { cpu } = this;
    cpu.eflags = value ? cpu.eflags | eflag.CF : cpu.eflags & ~eflag.CF;
  }

  /** Reads memory by physical address. */
  read(address: number, width: Width): number {
    if (this.#isWindow(address)) return this.bus.read(address, width);
    this.#memory.read(address, this.#scratch);
    return width === 1
      ? this.#view.getUint8(0)
      : width === 2
      ? this.#view.getUint16(0, true)
      : this.#view.getUint32(0, true);
  }

  /** Writes memory by physical address. */
  write(address: number, value: number, width: Width): void {
    if (this.#isWindow(address)) {
      this.bus.write(address, value, width);
      return;
    }
    this.#view.setUint32(0, value, true);
    this.#memory.write(address, this.#scratch.subarray(0, width));
  }

  /** Writes bytes by physical address. */
  writeBytes(address: number, bytes: Uint8Array): void {
    if (!this.#isWindow(address)) this.#memory.write(address, bytes);
    else bytes.forEach((byte, i) => this.bus.write(address + i, byte, 1));
  }

  /** Reads a port. */
  in(port: number): number {
    return this.bus.in(port, 1);
  }

  /** Writes ports, each given one byte or several in turn. */
  out(port: number, ...values: readonly number[]): void {
    for (const value of values) this.bus.out(port, value, 1);
  }

  #word(register: number): number {
    return this.cpu.address(register, 16);
  }

  #setWord(register: number, value: number): void {
    this.cpu.setAddress(register, value, 16);
  }

  #linear(segment: 0 | 2 | 3, offset: number): number {
    const linear = this.cpu.segments[segment].base + (offset & 0xffff);
    return this.cpu.a20 ? linear : linear & ~0x10_0000;
  }

  /** A flag in the frame: IP, CS and flags are on the stack. */
  #setFlag(flag: number, value: boolean): void {
    const at = this.#linear(2, this.#word(SP) + 4);
    const flags = this.read(at, 2);
    this.write(at, value ? flags | flag : flags & ~flag, 2);
  }

  #isWindow(address: number): boolean {
    return this.bus.windows.some((w) => address >= w.first && address < w.first + w.size);
  }
}
