import assert from "node:assert/strict";
import { tiny, tinyGuest } from "../../testdata/tiny_guest.ts";
import { boot, type Guest } from "./guest.ts";
import { type FailureReport, failureReport } from "./report.ts";
import { showReport } from "./show_report.ts";

const start = (...code: readonly (readonly number[])[]): Promise<Guest> =>
  boot(tinyGuest(...code), { memory: 16 << 20, builtinInit: false });

async function failure(...code: readonly (readonly number[])[]): Promise<FailureReport> {
  const guest = await start(...code);
  return await failureReport(guest, guest.run({ instructions: 10_000 }));
}

async function report(...code: readonly (readonly number[])[]): Promise<string> {
  return showReport(await failure(...code)).join("\n");
}

Deno.test("a triple fault's report has the chain that led there", async (t) => {
  await t.assertSnapshot(await report(tiny.says("hello\n"), tiny.faults()));
});

Deno.test("an instruction that the processor does not have is named", async () => {
  const vpaddd = [0xc5, 0xf5, 0xfe, 0xc2];
  const { cause, exceptions } = await failure(vpaddd);
  assert.match(cause[1] ?? "", /does not know the AVX \(VEX\) instruction c5 f5 fe c2/);
  assert.equal(exceptions[0]?.name, "#UD");
  const guest = await boot(tinyGuest([0xf3, 0x0f, 0xb8, 0xc1]), {
    ...{ memory: 16 << 20, builtinInit: false, cpu: "686" },
  });
  const popcnt = await failureReport(guest, guest.run({ instructions: 10 }));
  assert.match(popcnt.cause[1] ?? "", /"popcnt eax,ecx" at 0x100000 needs popcnt/);
});

Deno.test("a jump into nowhere shows where it came from and that there is nothing", async () => {
  // mov eax, an address past memory; jmp eax
  const { cause, way, scene } = await failure([0xb8, 0, 0, 0, 0x7f, 0xff, 0xe0]);
  assert.match(cause[1] ?? "", /It had gone to 0x7f000000, where no code is/);
  assert.deepEqual(way?.branches, [{ instructions: 1, from: 0x100005, to: 0x7f000000 }]);
  assert.equal(scene.address, 0x7f000000);
});

Deno.test("a silent hang shows where it goes round", async () => {
  const text = await report(tiny.loops());
  assert.match(text, /It ran to the limit and said nothing/);
  assert.match(text, /Last on the console:\n {2}nothing at all/);
  assert.match(text, /→ 0x100000 {2}eb fe {2}jmp 0x100000/);
  assert.match(text, /Where it was in 1 looks:\n {5}1 page 0x100000/);
});

Deno.test("who waits with interrupts off is shown where he waits", async () => {
  const { cause, scene, way } = await failure([0x31, 0xc0, 0xeb, 0], tiny.halts());
  assert.match(cause[0] ?? "", /^It waits at 0x100006 with interrupts off/);
  assert.deepEqual(scene.code.slice(0, 5).map(({ text }) => text), [
    ...["xor eax,eax", "jmp 0x100004", "cli", "hlt", "hlt"],
  ]);
  assert.deepEqual(way?.functions.map(({ address }) => address), [0x100000]);
});

Deno.test("a page fault's report walks the page tables to the address", async () => {
  const text = await report(
    [0xb8, 0x00, 0x00, 0x20, 0x00, 0x0f, 0x22, 0xd8], // mov eax, 0x200000; mov cr3, eax: all zero
    [0xb8, 0x11, 0x00, 0x00, 0x80, 0x0f, 0x22, 0xc0], // mov eax, 0x80000011; mov cr0, eax
  );
  assert.match(text, /#PF error 0x\w+ \(.*, page not present\) address 0x100010/);
  assert.match(
    text,
    /Page tables for 0x\w+:\n {2}PD {3}at 0x200000: 0x0 \(empty\)\n {2}ends there/,
  );
});

Deno.test("a guest that is run again does the same, typing included", async () => {
  const guest = await start(tiny.says("?"), tiny.echoes(), tiny.faults());
  guest.run({ instructions: 1_000 });
  guest.type("ab");
  guest.run({ until: /b/, instructions: 20_000_000 });
  guest.type("c\0");
  const outcome = guest.run({ instructions: 20_000_000 });
  assert.deepEqual([outcome.kind, guest.text], ["triple-fault", "?abc\0"]);
  const again = await guest.again();
  assert.equal(again.text, guest.text);
  assert.equal(again.machine.stateHash(), guest.machine.stateHash());
  assert.equal((await guest.again(1_500)).machine.instructions, 1_500);
});
