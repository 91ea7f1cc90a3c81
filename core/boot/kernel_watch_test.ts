import assert from "node:assert/strict";
import { elf, relocationTable } from "../../testdata/elf_builder.ts";
import { Kallsyms } from "../../formats/kallsyms/mod.ts";
import { decodeRelocations } from "../../formats/relocations.ts";
import { callsOf } from "./calls.ts";
import { boot, type Guest } from "./guest.ts";
import { type KernelEntry, watchKernelEntry } from "./kernel_entry.ts";
import { KernelSymbols } from "./symbols.ts";
import { lengthOf, longestInitcalls, Timeline, type TimelineSpan } from "./timeline.ts";

const base = 0x100_0000;
const initcalls = base + 0x600;

const bytes32 = (value: number) => [0, 8, 16, 24].map((bit) => value >> bit & 255);
/** Counts down and goes back: two instructions and one for each count. */
const counts = (times: number) => () => [0xb9, ...bytes32(times), 0xe2, 0xfe, 0xc3];
const call = (from: number, to: string) => [0xe8, ...bytes32(place(to) - from - 5)];
const jump = (from: number, to: string) => [0xe9, ...bytes32(place(to) - from - 5)];
/** Calls and jumps one behind the other, five bytes each. */
const goes = (...steps: readonly (readonly [typeof call, string])[]) => (at: number) =>
  steps.flatMap(([step, to], n) => step(at + 5 * n, to));
const initcall = (name: string): readonly (readonly [typeof call, string])[] => [
  [(_, to) => [0xb8, ...bytes32(place(to))], name],
  [call, "do_one_initcall"],
];

/** A kernel of about the shape of Linux: functions, 64 bytes each. */
const functions: Readonly<Record<string, (at: number) => number[]>> = {
  startup_32: (at) => [0xbc, ...bytes32(base + 0x1_0000), ...jump(at + 5, "start_kernel")],
  _sinittext: () => [],
  setup_arch: goes([call, "reserve_memory"], [call, "reserve_memory"], [jump, "back"]),
  reserve_memory: counts(6000),
  first_initcall: counts(7000),
  second_initcall: counts(8000),
  third_initcall: counts(9000),
  kernel_init_freeable: goes(
    ...initcall("first_initcall"),
    [call, "smp_init"],
    ...initcall("second_initcall"),
    ...initcall("third_initcall"),
    [jump, "back"],
  ),
  smp_init: counts(5000),
  _einittext: () => [],
  start_kernel: (at) => [
    ...goes([call, "setup_arch"], [call, "printk"])(at),
    ...[0xb8, ...bytes32(place("time_init")), 0xff, 0xd0], // mov eax, time_init; call eax
    ...goes([jump, "kernel_init"])(at + 17),
  ],
  printk: counts(30_000),
  time_init: counts(10_000),
  kernel_init: goes(
    [call, "kernel_init_freeable"],
    [call, "free_initmem"],
    [jump, "kernel_power_off"],
  ),
  do_one_initcall: () => [0xff, 0xd0, 0xc3],
  free_initmem: counts(11_000),
  kernel_power_off: () => [0xe6, 0xf4, 0xeb, 0xfe],
  back: () => [0xc3],
};
const place = (name: string) => base + 64 * Object.keys(functions).indexOf(name);

/** The table: an early one, one of level 0, one of level 6. */
const borders = [0, 4, 8, 8, 8, 8, 8, 8, 12, 12];
const tableNames = [
  ...["__initcall_start", ...[0, 1, 2, 3, 4, 5, 6, 7].map((n) => `__initcall${n}_start`)],
  "__initcall_end",
];

/** What makes it Linux. */
const banner = "Linux version 6.1.0-made (me@here) (gcc 12) #1 SMP Mon Jan 1 00:00:00 UTC 2026\n\0";

function code(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(0x800);
  for (const [name, body] of Object.entries(functions)) {
    bytes.set(body(place(name)), place(name) - base);
  }
  const table = ["first_initcall", "second_initcall", "third_initcall"];
  bytes.set(table.flatMap((name) => bytes32(place(name))), initcalls - base);
  bytes.set(new TextEncoder().encode(banner), 0x740);
  return bytes;
}

function symbols(): KernelSymbols {
  const all = [
    ...Object.keys(functions).map((name) => [name, place(name)] as const),
    ...tableNames.map((name, n) => [name, initcalls + (borders[n] ?? 0)] as const),
  ];
  const names = all.map(([name]) => name);
  const table = new Kallsyms(
    "made",
    {},
    { text: (i) => `T${names[i]}`, find: (name, from) => names.indexOf(name, from) },
    {
      low: Uint32Array.from(all, ([, at]) => at),
      high: new Uint32Array(all.length),
      form: "absolute",
      at: 0,
    },
  );
  return new KernelSymbols(table, false);
}

const image = (): Uint8Array =>
  elf({
    class: 32,
    entry: base,
    segments: [{ type: 1, flags: 7, vaddr: base, paddr: base, data: code() }],
  });

const start = (): Promise<Guest> =>
  boot(image(), { entry: "direct", memory: 32 << 20, builtinInit: false });

/** Names and lengths of spans and their parts. */
function outline(spans: readonly TimelineSpan[]): unknown[] {
  return spans.map((span) =>
    span.spans.length === 0
      ? `${span.name} ${lengthOf(span)}`
      : [`${span.name} ${lengthOf(span)}`, ...outline(span.spans)]
  );
}

Deno.test("a kernel's phases, calls and initcalls are told to the instruction", async () => {
  const guest = await start();
  const kernel = await guest.kernel();
  assert.ok(kernel);
  const timeline = new Timeline(guest, { kernel, symbols: symbols() });
  assert.equal(guest.run({ instructions: 1e6 }).kind, "exit");
  assert.ok(timeline.record.exact);
  const counted = (times: number) => times + 2;
  const initcall = (times: number) => 1 + counted(times) + 1;
  assert.deepEqual(outline(timeline.phases), [
    "loader 0",
    "startup_32 2",
    [
      // call; what it calls; call printk, which is not told of; mov and call; jmp
      `start_kernel ${1 + (4 + 2 * 6002) + 1 + 30_002 + 2 + 10_002 + 1}`,
      [`setup_arch ${4 + 2 * 6002}`, "reserve_memory 6002", "reserve_memory 6002"],
      "time_init 10003",
    ],
    [
      `kernel_init ${2 + 1 + initcall(7000) + 1 + 5002 + 2}`,
      [`early ${initcall(7000)}`, `first_initcall ${initcall(7000)}`],
      "smp_init 5002",
    ],
    [
      `initcalls ${initcall(8000) + 2 + initcall(9000)}`,
      [`pure ${initcall(8000) + 2}`, `second_initcall ${initcall(8000)}`],
      [`device ${initcall(9000)}`, `third_initcall ${initcall(9000)}`],
    ],
    [`final steps ${2 + 1 + 11_002 + 1}`, "free_initmem 11002"],
    "power off 1",
  ]);
  assert.deepEqual(
    longestInitcalls(timeline.phases).map(({ name, level }) => [name, level]),
    [["third_initcall", "device"], ["second_initcall", "pure"], ["first_initcall", "early"]],
  );
});

Deno.test("the guest does not notice that somebody looks", async () => {
  const [plain, watched] = [await start(), await start()];
  const kernel = await watched.kernel();
  assert.ok(kernel);
  new Timeline(watched, { kernel, symbols: symbols() });
  plain.run({ instructions: 1e6 });
  watched.run({ instructions: 1e6 });
  assert.equal(watched.machine.instructions, plain.machine.instructions);
  assert.equal(watched.machine.stateHash(), plain.machine.stateHash());
});

Deno.test("calls are read out of code: direct ones, through registers, through pointers", async () => {
  const { machine } = await start();
  const at = place("start_kernel");
  assert.deepEqual(callsOf(machine, symbols(), at), [
    { at, behind: at + 5, target: place("setup_arch") },
    { at: at + 5, behind: at + 10, target: place("printk") },
    { at: at + 15, behind: at + 17, register: 0 },
  ]);
  // call [0x1234]; then int3 to the function's end
  machine.memory.write(at, Uint8Array.of(0xff, 0x15, 0x34, 0x12, 0, 0, ...Array(58).fill(0xcc)));
  assert.deepEqual(callsOf(machine, symbols(), at), [{ at, behind: at + 6, pointer: 0x1234 }]);
});

Deno.test("a kernel is found where it was moved to, by its code and a place that was relocated", async () => {
  const guest = await start();
  const { machine } = guest;
  const unpacked = await guest.kernel();
  assert.ok(unpacked?.elf);
  // The table that a bzImage has behind its kernel.
  const relocations = decodeRelocations(relocationTable([base + 0x700]), unpacked.elf);
  const kernel = { ...unpacked, relocations };
  const found: KernelEntry[] = [];
  assert.ok(watchKernelEntry(machine, kernel, (entry) => found.push(entry)));
  // What a decompressor does: the kernel is 8 MiB further up, one address is changed, and off it goes.
  const moved = code();
  const view = new DataView(moved.buffer);
  view.setInt32(0x700, view.getInt32(0x700, true) + 0x80_0000, true);
  machine.memory.write(base + 0x80_0000, moved);
  machine.memory.write(base, new Uint8Array(64).fill(0x90));
  machine.memory.write(base, Uint8Array.of(0xe9, ...bytes32(0x80_0000 - 5)));
  machine.run({ instructions: 1 });
  assert.deepEqual(found, []);
  machine.run({ instructions: 1 });
  assert.deepEqual(found, [{ physical: 0x180_0000, moved: 0x80_0000, slide: 0x80_0000 }]);
  assert.equal(machine.onLook, undefined, "nobody looks on");
});
