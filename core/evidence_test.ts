import assert from "node:assert/strict";
import { decodeConfig } from "../formats/ikconfig.ts";
import { findKallsyms, Kallsyms } from "../formats/kallsyms/mod.ts";
import { buildKallsyms, segmentAddress } from "../testdata/kallsyms_builder.ts";
import { builtFeatures } from "./evidence.ts";

const word = 4;

/** A symbol table of a 32-bit kernel of about 2.6.32 that has these symbols among others. */
function symbolsWith(named: Readonly<Record<string, string>>) {
  const start = segmentAddress(word);
  const others = Array.from({ length: 500 }, (_, i) => ({
    address: start + BigInt(0x40 + i * 0x100),
    type: "t",
    name: `sys_read_of_handler${i}`,
  }));
  const wanted = Object.entries(named).map(([name, type], i) => ({
    address: start + BigInt(0x40000 + i * 0x10),
    type,
    name,
  }));
  const { bytes } = buildKallsyms([...others, ...wanted], {
    word,
    names: "tokens",
    addresses: "absolute",
    order: "before",
    markerSize: 4,
    seqs: 0,
    align: 4,
  });
  const table = findKallsyms(bytes);
  assert.ok(table instanceof Kallsyms);
  return table;
}

const bySymbols = async (named: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    await builtFeatures({
      config: () => Promise.resolve(undefined),
      symbols: () => Promise.resolve(symbolsWith(named)),
    }),
  );

const byConfig = async (text: string) =>
  Object.fromEntries(
    await builtFeatures({
      config: () => Promise.resolve(decodeConfig(text)),
      symbols: () => Promise.reject(new Error("the configuration told already")),
    }),
  );

Deno.test("the weak lguest_entry of every kernel with PARAVIRT is no lguest guest", async () => {
  const weak = { lguest_entry: "W", xen_entry: "W", _paravirt_nop: "T" };
  assert.deepEqual(await bySymbols(weak), {
    LGUEST_GUEST: false,
    XEN: false,
    X86_INTEL_MID: false,
    X86_INTEL_CE: false,
    PARAVIRT: true,
  });
  const guest = await bySymbols({ ...weak, lguest_entry: "T", lguest_init: "t" });
  assert.equal(guest.LGUEST_GUEST, true);
});

Deno.test("symbols of Moorestown and of Intel MID tell the same board", async () => {
  assert.equal((await bySymbols({ x86_mrst_early_setup: "T" })).X86_INTEL_MID, true);
  assert.equal((await bySymbols({ x86_intel_mid_early_setup: "T" })).X86_INTEL_MID, true);
  assert.equal((await bySymbols({ x86_ce4100_early_setup: "T" })).X86_INTEL_CE, true);
});

Deno.test("a configuration tells by an option's name of its time", async () => {
  assert.equal((await byConfig("CONFIG_X86_MRST=y\n")).X86_INTEL_MID, true);
  assert.equal((await byConfig("CONFIG_X86_INTEL_MID=y\n")).X86_INTEL_MID, true);
  assert.equal((await byConfig("# CONFIG_X86_MRST is not set\n")).X86_INTEL_MID, false);
  const guest = await byConfig("CONFIG_PARAVIRT=y\nCONFIG_LGUEST_GUEST=y\n");
  assert.deepEqual([guest.PARAVIRT, guest.LGUEST_GUEST, guest.XEN], [true, true, false]);
});
