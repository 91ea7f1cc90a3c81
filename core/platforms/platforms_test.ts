import assert from "node:assert/strict";
import { decodeSetupHeader, platformTypes } from "../../formats/setup_header.ts";
import { bzImage, type Recipe } from "../../testdata/bzimage_builder.ts";
import { parseRelease } from "../release.ts";
import { findPlatform, platforms } from "./mod.ts";
import type { Evidence, Feature, Verdict } from "./platform.ts";
import { unnumbered } from "./unnumbered.ts";

interface Kernel {
  readonly recipe?: Recipe;
  readonly release?: string;
  readonly class?: 32 | 64;
  readonly built?: Partial<Record<Feature, boolean>>;
  readonly more?: Partial<Evidence>;
}

/** What an opened Linux kernel shows. */
function evidence({ recipe = {}, release, class: bits, built = {}, more = {} }: Kernel): Evidence {
  const numbers = release === undefined ? undefined : parseRelease(release);
  return {
    header: decodeSetupHeader(bzImage(recipe)),
    ...(bits && { elf: { class: bits, isX86: true, entry: 0x1000000n } }),
    opened: true,
    isLinux: true,
    notes: [],
    ...(numbers && { release: numbers }),
    built: (feature) => built[feature],
    multiboot: [],
    ...more,
  };
}

const judge = (name: string, kernel: Kernel): Verdict => {
  const row = platforms[name];
  assert.ok(row);
  return row.judge(evidence(kernel));
};

const entries = (verdict: Verdict) =>
  verdict.starts
    ? verdict.entries.map(({ kind, address }) => `${kind} ${address.toString(16)}`)
    : [];

const reason = (verdict: Verdict) => verdict.starts ? "starts" : verdict.reason;

const i386: Recipe = { protocol: 0x20c, machine: "i386" };

Deno.test("a 64-bit bzImage enters a PC four ways", () => {
  assert.deepEqual(entries(judge("pc", { class: 64 })), [
    "32-bit 100000",
    "64-bit 100200",
    "16-bit 10200",
    "direct 1000000",
  ]);
});

Deno.test("a kernel before 2.02 enters in real mode at 0x90000 and nowhere else", () => {
  assert.deepEqual(entries(judge("pc", { recipe: { protocol: 0x201 } })), ["16-bit 90200"]);
});

Deno.test("lguest takes the 32-bit kernels of 2.6.23 to 4.13 that were built for it", () => {
  const built = { LGUEST_GUEST: true };
  for (const release of ["2.6.23", "2.6.24", "3.11.10", "4.13"]) {
    const verdict = judge("lguest", { recipe: i386, class: 32, release, built });
    assert.equal(verdict.starts, true, release);
  }
  const no = (kernel: Kernel) => reason(judge("lguest", { recipe: i386, built, ...kernel }));
  assert.match(no({ class: 32, release: "4.14.0" }), /left the kernel in 4\.14/);
  assert.match(no({ class: 32, release: "2.6.22" }), /came with 2\.6\.23/);
  assert.match(no({ class: 64, recipe: {}, release: "3.11" }), /64-bit/);
  assert.match(no({ class: 32, release: "3.11", built: { LGUEST_GUEST: false } }), /ud2/);
});

Deno.test("lguest is an open question while the kernel is closed or silent", () => {
  const closed = judge("lguest", { recipe: i386, release: "3.11", more: { opened: false } });
  assert.equal(closed.starts, null);
  assert.equal(judge("lguest", { recipe: i386, class: 32, release: "3.11" }).starts, null);
});

Deno.test("Xen's entries are notes 18 and 1 of owner Xen, whoever else uses the numbers", () => {
  const notes = [
    { owner: "GNU", type: 1, value: 7n },
    { owner: "Xen", type: 18, value: 0x1000850 },
    { owner: "Xen", type: 1, value: 0xffffffff830791c0n },
  ];
  assert.deepEqual(entries(judge("xen", { class: 64, more: { notes } })), [
    "pvh 1000850",
    "pv ffffffff830791c0",
  ]);
  const gnu = judge("xen", { class: 64, more: { notes: notes.slice(0, 1) } });
  assert.equal(gnu.starts, false);
});

Deno.test("a guest of before the notes starts where __xen_guest says, else at its ELF entry", () => {
  const old = (text: ReadonlyMap<string, string>) =>
    entries(judge("xen", { class: 32, more: { xenGuest: text } }));
  assert.deepEqual(old(new Map([["VIRT_ENTRY", "0xC0100000"]])), ["pv c0100000"]);
  assert.deepEqual(old(new Map([["VIRT_BASE", "0xC0000000"]])), ["pv 1000000"]);
});

Deno.test("number 4 dies on kernels whose four-entry dispatch has no room for it", () => {
  const dies = (release: string, PARAVIRT: boolean) =>
    judge("ce4100", { recipe: i386, class: 32, release, built: { PARAVIRT } });
  assert.match(reason(dies("3.11", true)), /4-entry.*ud2/);
  assert.equal(dies("3.11", false).starts, true);
  assert.match(reason(dies("2.6.24", true)), /3-entry.*ud2/);
  assert.equal(dies("5.10", true).starts, true);
});

Deno.test("number 3 is within the table from 2.6.32 to 4.13 and past it in 4.14 to 5.8", () => {
  const mid = (release: string) =>
    judge("intel-mid", { recipe: i386, class: 32, release, built: { PARAVIRT: true } });
  assert.equal(mid("2.6.32").starts, true);
  assert.equal(mid("4.13").starts, true);
  assert.equal(mid("4.14").starts, false);
  assert.equal(mid("5.9").starts, true);
});

Deno.test("a header before 2.07 has no number to set", () => {
  assert.match(reason(judge("intel-mid", { recipe: { protocol: 0x206 } })), /2\.07/);
});

Deno.test("multiboot wants a header that gives addresses, or an ELF that does", () => {
  const bare: Partial<Evidence> = { isLinux: false, multiboot: [{ version: 1 }] };
  const { header: _, ...rest } = evidence({ more: bare });
  assert.equal(platforms.multiboot?.judge(rest).starts, false);
  assert.equal(platforms.multiboot2?.judge(rest).starts, false);
  const withEntry = { ...rest, multiboot: [{ version: 1 as const, entry: 0x200000n }] };
  assert.equal(platforms.multiboot?.judge(withEntry).starts, true);
  assert.match(reason(platforms.pc?.judge(withEntry) as Verdict), /multiboot/);
});

Deno.test("the rows have the numbers of the kernel's header, each once", () => {
  const numbers = Object.entries(platforms).flatMap(([name, { subarch }]) =>
    subarch === undefined ? [] : [[subarch, name] as const]
  );
  assert.deepEqual(numbers, platformTypes.map((name, number) => [number, name]));
});

Deno.test("a platform is found by name, alias, number, and by a name without number", () => {
  const found = (name: string) => {
    const choice = findPlatform(name);
    return choice && (choice.kind === "number" ? String(choice.number) : choice.name);
  };
  assert.deepEqual(
    ["PC", "pvh", "1", "0x4", "7", "voyager", "constructor", "lguset", "4294967296"].map(found),
    ["pc", "xen", "lguest", "ce4100", "7", "voyager", undefined, undefined, undefined],
  );
  for (const name of Object.keys(unnumbered)) assert.equal(findPlatform(name)?.kind, "unnumbered");
});
