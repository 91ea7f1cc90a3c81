/**
 * MSRs that hold what was written to them, and of those that system calls use a
 * copy as plain numbers.
 *
 * SYSCALL, SYSENTER and SWAPGS read these registers millions of times, and
 * write one of them; that must not make a bigint each time.
 *
 * @module
 */

/** Numbers of the MSRs that system calls use. */
export const systemCallMsrs = {
  ...{ SYSENTER_CS: 0x174, SYSENTER_ESP: 0x175, SYSENTER_EIP: 0x176 },
  ...{ STAR: 0xc000_0081, LSTAR: 0xc000_0082, SFMASK: 0xc000_0084, KERNEL_GS_BASE: 0xc000_0102 },
} as const;

/** A canonical address, or what of it matters. */
const signed = (value: bigint): number => Number(BigInt.asIntN(64, value));

/** MSRs by number. It is a map as any other; only some of it may be had as numbers as well. */
export class MsrMap extends Map<number, bigint> {
  /** SYSENTER_CS, its low 16 bits. */
  sysenterCs = 0;
  /** SYSENTER_ESP: signed. */
  sysenterEsp = 0;
  /** SYSENTER_EIP: signed. */
  sysenterEip = 0;
  /** Bits 47 to 32 of STAR: CS and SS for SYSCALL. */
  syscallSelector = 0;
  /** Bits 63 to 48 of STAR: CS and SS for SYSRET. */
  sysretSelector = 0;
  /** LSTAR: where SYSCALL goes; signed. */
  lstar = 0;
  /** SFMASK: flags that SYSCALL clears. */
  sfmask = 0;
  /** KERNEL_GS_BASE: signed; SWAPGS writes it here, and the map says so. */
  kernelGsBase = 0;

  override set(msr: number, value: bigint): this {
    super.set(msr, value);
    this.#copy(msr, value);
    return this;
  }

  override get(msr: number): bigint | undefined {
    if (msr === systemCallMsrs.KERNEL_GS_BASE) this.#settle();
    return super.get(msr);
  }

  override delete(msr: number): boolean {
    this.#copy(msr, 0n);
    return super.delete(msr);
  }

  override clear(): void {
    for (const msr of Object.values(systemCallMsrs)) this.#copy(msr, 0n);
    super.clear();
  }

  override entries(): MapIterator<[number, bigint]> {
    this.#settle();
    return super.entries();
  }

  override [Symbol.iterator](): MapIterator<[number, bigint]> {
    return this.entries();
  }

  override values(): MapIterator<bigint> {
    this.#settle();
    return super.values();
  }

  override forEach(
    callback: (value: bigint, key: number, map: Map<number, bigint>) => void,
  ): void {
    this.#settle();
    super.forEach(callback);
  }

  /** Puts into the map what SWAPGS left. */
  #settle(): void {
    const msr = systemCallMsrs.KERNEL_GS_BASE;
    if (this.kernelGsBase !== signed(super.get(msr) ?? 0n)) {
      super.set(msr, BigInt.asUintN(64, BigInt(this.kernelGsBase)));
    }
  }

  #copy(msr: number, value: bigint): void {
    switch (msr) {
      case systemCallMsrs.SYSENTER_CS:
        this.sysenterCs = Number(value & 0xffffn);
        break;
      case systemCallMsrs.SYSENTER_ESP:
        this.sysenterEsp = signed(value);
        break;
      case systemCallMsrs.SYSENTER_EIP:
        this.sysenterEip = signed(value);
        break;
      case systemCallMsrs.STAR:
        this.syscallSelector = Number(value >> 32n & 0xffffn);
        this.sysretSelector = Number(value >> 48n & 0xffffn);
        break;
      case systemCallMsrs.LSTAR:
        this.lstar = signed(value);
        break;
      case systemCallMsrs.SFMASK:
        this.sfmask = Number(value & 0xffff_ffffn);
        break;
      case systemCallMsrs.KERNEL_GS_BASE:
        this.kernelGsBase = signed(value);
    }
  }
}
