import assert from "node:assert/strict";
import { tiny, tinyGuest } from "../../testdata/tiny_guest.ts";
import { boot } from "./guest.ts";
import { trace, type TraceKind, type TraceOptions } from "./trace.ts";

async function traced(
  kind: TraceKind,
  code: readonly (readonly number[])[],
  options?: TraceOptions,
): Promise<string[]> {
  const guest = await boot(tinyGuest(...code), { memory: 16 << 20, builtinInit: false });
  const lines: string[] = [];
  await trace(guest, kind, (line) => lines.push(line.trim()), options);
  guest.run({ instructions: 100 });
  return lines;
}

Deno.test("instructions are traced with the registers and flags that they change", async () => {
  const code = [0x31, 0xc0, 0xff, 0xc8, 0x90]; // xor eax, eax; dec eax; nop
  assert.deepEqual(await traced("instructions", [code, tiny.exits(1)]), [
    "0 0x100000  xor eax,eax  ; flags=pf,zf",
    "1 0x100002  dec eax  ; eax=0xffffffff flags=pf,af,sf",
    "2 0x100004  nop",
    "3 0x100005  mov al,0x1  ; eax=0xffffff01",
    "4 0x100007  out 0xf4,al",
  ]);
});

Deno.test("branches are traced where the next instruction is not the next one", async () => {
  // mov ecx, 3; loop to a nop; jmp over a byte; out 0xf4
  const code = [0xb9, 3, 0, 0, 0, 0x90, 0xe2, 0xfd, 0xeb, 1, 0xf4, 0xe6, 0xf4];
  assert.deepEqual(await traced("branches", [code]), [
    "2 0x100006 loop → 0x100005",
    "4 0x100006 loop → 0x100005",
    "7 0x100008 jmp → 0x10000b",
  ]);
});

/** Loads an interrupt table whose gate 6 leads to code at 0x100040, which ends the run. */
const handled = [
  ...[0xc7, 0x05, 0x30, 0x00, 0x20, 0x00, 0x40, 0x00, 0x10, 0x00], // gate: selector, offset
  ...[0xc7, 0x05, 0x34, 0x00, 0x20, 0x00, 0x00, 0x8e, 0x10, 0x00],
  ...[0x0f, 0x01, 0x1d, 0x38, 0x00, 0x10, 0x00], // lidt [0x100038]
  ...[0x0f, 0x0b], // ud2
];
const handler = [
  ...new Array<number>(0x38 - handled.length).fill(0x90),
  ...[0xff, 0x01, 0x00, 0x00, 0x20, 0x00, 0x90, 0x90], // limit 0x1ff, base 0x200000
  ...[0xb0, 0x01, 0xe6, 0xf4], // at 0x100040: mov al, 1; out 0xf4, al
];

Deno.test("an exception is a step of its own, between what raised it and its handler", async () => {
  const lines = await traced("instructions", [handled, handler]);
  assert.deepEqual(lines.slice(2), [
    "2 0x100014  lidt FWORD PTR ds:0x100038",
    "3 #UD at 0x10001b → 0x100040",
    "3 0x100040  mov al,0x1  ; eax=0x1",
    "4 0x100042  out 0xf4,al",
  ]);
  assert.deepEqual(await traced("branches", [handled, handler]), ["3 0x10001b #UD → 0x100040"]);
});

Deno.test("events are exceptions, ports and what asks or changes the processor", async () => {
  const code = [
    ...[0x31, 0xc0, 0x31, 0xc9, 0x0f, 0xa2], // xor eax, eax; xor ecx, ecx; cpuid
    ...[0xb9, 0x77, 0x02, 0, 0, 0x0f, 0x32], // mov ecx, 0x277; rdmsr
    ...[0x0f, 0x20, 0xe0, 0x0f, 0x22, 0xe0], // mov eax, cr4; mov cr4, eax
    ...[0xe4, 0x61, 0xe6, 0x80], // in al, 0x61; out 0x80, al
  ];
  const lines = await traced("events", [code, tiny.faults()]);
  assert.match(lines[0] ?? "", /^2 cpuid 0x0, 0x0 → eax 0x\w+ ebx 0x756e6547 .* at 0x100004$/);
  assert.match(lines[1] ?? "", /^4 rdmsr 0x277 \(PAT\) → 0x7040600070406 at 0x10000b$/);
  assert.match(lines[2] ?? "", /^6 cr4 ← 0x0 at 0x100010$/);
  assert.match(lines[3] ?? "", /^7 in 0x61 → 0x\w\w at 0x100013$/);
  assert.match(lines[4] ?? "", /^8 out 0x80 ← 0x\w\w at 0x100015$/);
  assert.equal(lines[5], "9 #UD at 0x100017");
  assert.match(lines.at(-1) ?? "", /#DF error 0x0/);
});

Deno.test("a trace begins after as many instructions as asked", async () => {
  const code = [[0x90, 0x90, 0x90], tiny.exits(1)];
  assert.deepEqual(
    (await traced("instructions", code, { from: 3 }))[0]?.slice(0, 10),
    "3 0x100003",
  );
  assert.deepEqual(await traced("events", code, { from: 4 }), ["4 out 0xf4 ← 0x01 at 0x100005"]);
});

Deno.test("a trace from a function needs a kernel that has it", async () => {
  await assert.rejects(traced("branches", [tiny.exits(1)], { from: "start_kernel" }), {
    name: "RangeError",
    message: 'the kernel has no symbols, so no "start_kernel"',
  });
});

Deno.test("a trace changes nothing: the guest ends in the same state", async () => {
  const hashes = await Promise.all(
    [undefined, "events", "branches", "instructions"].map(async (kind) => {
      const guest = await boot(tinyGuest(handled, handler), {
        ...{ memory: 16 << 20, builtinInit: false },
      });
      if (kind !== undefined) await trace(guest, kind as TraceKind, () => {});
      guest.run({ instructions: 100 });
      return guest.machine.stateHash();
    }),
  );
  assert.equal(new Set(hashes).size, 1);
});
