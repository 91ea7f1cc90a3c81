import assert from "node:assert/strict";
import { MsrMap, systemCallMsrs } from "./msr_map.ts";

Deno.test("what system calls need of the MSRs is there as numbers, and goes when they go", () => {
  const msrs = new MsrMap();
  msrs.set(systemCallMsrs.STAR, 0x0023_0010_1234_5678n);
  msrs.set(systemCallMsrs.LSTAR, 0xffff_ffff_8100_0000n);
  msrs.set(systemCallMsrs.SFMASK, 0x47700n);
  msrs.set(systemCallMsrs.SYSENTER_CS, 0x10n);
  msrs.set(systemCallMsrs.SYSENTER_ESP, 0xc000_1000n);
  msrs.set(systemCallMsrs.SYSENTER_EIP, 0xc000_2000n);
  const { syscallSelector, sysretSelector, lstar, sfmask } = msrs;
  assert.deepEqual(
    { syscallSelector, sysretSelector, lstar, sfmask },
    { syscallSelector: 0x10, sysretSelector: 0x23, lstar: -0x7f00_0000, sfmask: 0x47700 },
  );
  assert.deepEqual(
    [msrs.sysenterCs, msrs.sysenterEsp, msrs.sysenterEip],
    [0x10, 0xc000_1000, 0xc000_2000],
  );
  msrs.delete(systemCallMsrs.LSTAR);
  assert.equal(msrs.lstar, 0);
  msrs.clear();
  assert.deepEqual([msrs.size, msrs.sysenterEip, msrs.sfmask], [0, 0, 0]);
});

Deno.test("what SWAPGS leaves in KERNEL_GS_BASE is what the map says, however it is asked", () => {
  const msrs = new MsrMap();
  const { KERNEL_GS_BASE } = systemCallMsrs;
  assert.equal(msrs.get(KERNEL_GS_BASE), undefined);
  msrs.set(KERNEL_GS_BASE, 0xffff_8880_0000_0000n);
  assert.equal(msrs.kernelGsBase, -0x7780_0000_0000);
  msrs.kernelGsBase = -16;
  assert.equal(msrs.get(KERNEL_GS_BASE), 0xffff_ffff_ffff_fff0n);
  msrs.kernelGsBase = 0x1000;
  assert.deepEqual([...msrs], [[KERNEL_GS_BASE, 0x1000n]]);
  msrs.kernelGsBase = 0x2000;
  assert.deepEqual([...msrs.values()], [0x2000n]);
  msrs.kernelGsBase = 0x3000;
  const seen: bigint[] = [];
  msrs.forEach((value) => seen.push(value));
  assert.deepEqual(seen, [0x3000n]);
  msrs.kernelGsBase = 0x4000;
  assert.deepEqual([...msrs.entries()], [[KERNEL_GS_BASE, 0x4000n]]);
});
