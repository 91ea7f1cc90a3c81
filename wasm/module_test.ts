import assert from "node:assert/strict";
import { type Code, createCode } from "./code.ts";
import { Module } from "./module.ts";
import { opcodes } from "./opcodes.ts";
import type { FuncIndex, Label, Local, ValueType } from "./types.ts";

/** Stands in where the compiler cannot see that a parameter exists. */
const parameter = -1 as Local;

type Exports = Record<string, (...args: (number | bigint)[]) => number | bigint | number[]>;

function start(m: Module, imports: WebAssembly.Imports = {}): Exports {
  const bytes = m.finish();
  const module = new WebAssembly.Module(bytes);
  return new WebAssembly.Instance(module, imports).exports as unknown as Exports;
}

/** A module of one function "f", written by `body`. */
function run(
  params: readonly ValueType[],
  results: readonly ValueType[],
  body: (f: Code, params: readonly Local[]) => void,
): (...args: (number | bigint)[]) => number | bigint | number[] {
  const m = new Module();
  m.memory({ min: 1 });
  const f = m.func({ params, results, export: "f" });
  body(f.code, f.params);
  const { f: exported } = start(m);
  assert.ok(exported);
  return exported;
}

Deno.test("two parameters are added, operands nested or in a row", () => {
  const m = new Module();
  const a = m.func({ params: ["i32", "i32"], results: ["i32"], export: "a" });
  a.code.i32Add(a.code.localGet(a.params[0]), a.code.localGet(a.params[1]));
  const b = m.func({ params: ["i32", "i32"], results: ["i32"], export: "b" });
  b.code.localGet(b.params[0]).localGet(b.params[1]).i32Add();
  const exports = start(m);
  assert.equal(exports.a?.(40, 2), 42);
  assert.equal(exports.b?.(40, 2), 42);
  assert.deepEqual(a.code.out.written(), b.code.out.written());
});

Deno.test("a loop leaves by its block's label", () => {
  const sum = run(["i32"], ["i32"], (f, [n = parameter]) => {
    const total = f.local("i32");
    const done = f.block();
    const again = f.loop();
    f.brIf(done, f.i32Eqz(f.localGet(n)));
    f.localSet(total, f.i32Add(f.localGet(total), f.localGet(n)));
    f.localSet(n, f.i32Sub(f.localGet(n), f.i32Const(1)));
    f.br(again).end(again).end(done);
    f.localGet(total);
  });
  assert.equal(sum(100), 5050);
});

Deno.test("br_table has an arm for each of a thousand labels", () => {
  const table = run(["i32"], ["i32"], (f, [n = parameter]) => {
    const otherwise = f.block();
    const arms: Label[] = [];
    for (let i = 0; i < 1000; i++) arms.push(f.block());
    f.brTable(arms, otherwise, f.localGet(n));
    for (let i = 999; i >= 0; i--) f.end(arms[i]).i32Const(i * 3).return();
    f.end(otherwise).i32Const(-1);
  });
  assert.equal(table(0), 0);
  assert.equal(table(999), 2997);
  assert.equal(table(1000), -1);
});

Deno.test("integers at the edges of every LEB length come back as they were", () => {
  const edges = [0, 1, -1];
  for (let bit = 5; bit < 32; bit++) {
    for (const delta of [-1, 0, 1]) edges.push((2 ** bit + delta) | 0, (-(2 ** bit) + delta) | 0);
  }
  for (const value of edges) {
    assert.equal(run([], ["i32"], (f) => f.i32Const(value))(), value);
    assert.equal(run([], ["i64"], (f) => f.i64Const(value))(), BigInt(value));
  }
  for (let bit = 31n; bit < 64n; bit++) {
    for (const delta of [-1n, 0n, 1n]) {
      for (const sign of [1n, -1n]) {
        const value = BigInt.asIntN(64, sign * (1n << bit) + delta);
        assert.equal(run([], ["i64"], (f) => f.i64Const(value))(), value);
      }
    }
  }
  for (const value of [2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 31) - 1, -(2 ** 53), 2 ** 32 - 1]) {
    assert.equal(run([], ["i64"], (f) => f.i64Const(value))(), BigInt(value));
  }
  assert.equal(run([], ["i32"], (f) => f.i32Const(0xffff_ffff))(), -1);
});

Deno.test("floating point constants keep their bits", () => {
  for (const value of [0, -0, 1.5, Math.PI, Infinity, -Infinity, 2 ** -1074]) {
    assert.equal(run([], ["f64"], (f) => f.f64Const(value))(), value);
    assert.equal(run([], ["f32"], (f) => f.f32Const(value))(), Math.fround(value));
  }
});

Deno.test("several results come out in order", () => {
  const swap = run(["i32", "i32"], ["i32", "i32"], (f, [a = parameter, b = parameter]) => {
    f.localGet(b).localGet(a);
  });
  assert.deepEqual(swap(1, 2), [2, 1]);
});

Deno.test("a block may take and leave several values by a function type", () => {
  const m = new Module();
  const pair = m.type(["i32", "i32"], ["i32", "i32"]);
  assert.equal(m.type(["i32", "i32"], ["i32", "i32"]), pair);
  const f = m.func({ params: ["i32", "i32"], results: ["i32"], export: "f" });
  const [a, b] = f.params;
  f.code.localGet(a).localGet(b);
  const block = f.code.block(pair);
  f.code.i32Const(1).i32Add().end(block).i32Mul();
  assert.equal(start(m).f?.(6, 6), 42);
});

Deno.test("tail calls, direct and by table, run a million deep", () => {
  const m = new Module();
  const table = m.table({ min: 1, max: 1 });
  const down = m.func({ params: ["i32", "i32"], results: ["i32"], export: "down", name: "down" });
  const again = m.func({ params: ["i32", "i32"], results: ["i32"] });
  m.elem([again.index], { at: 0 });
  const { code: f, params: [n, sum] } = down;
  const more = f.if(undefined, "likely");
  assert.equal(more, 0);
  f.end(more);
  f.out.length = 0;
  f.hints.length = 0;
  const stop = f.block();
  f.brIfHinted("unlikely", stop, f.i32Eqz(f.localGet(n)));
  f.returnCallIndirect(
    again.type,
    table,
    f.i32Sub(f.localGet(n), f.i32Const(1)),
    f.i32Add(f.localGet(sum), f.i32Const(1)),
    f.i32Const(0),
  );
  f.end(stop).localGet(sum);
  again.code.localGet(again.params[0]).localGet(again.params[1]).returnCall(down.index);
  assert.equal(start(m).down?.(1_000_000, 0), 1_000_000);
});

Deno.test("imports, globals, start function, data and element segments find each other", () => {
  const m = new Module();
  const base = m.global({ type: "i32", import: ["env", "base"] });
  const log = m.func({ params: ["i32"], import: ["env", "log"] });
  const memory = m.memory({ min: 1, max: 2, export: "memory" });
  const table = m.table({ min: 4, type: "funcref" });
  const counter = m.global({ type: "i64", mutable: true, value: 41n, export: "counter" });
  const data = m.data([1, 2, 3, 4]);
  m.data([9], { at: { global: base } });
  const first = m.func({});
  const { code } = first;
  code.globalSet(counter, code.i64Add(code.globalGet(counter), code.i64Const(1)));
  code.memoryInit(data, memory, code.i32Const(100), code.i32Const(1), code.i32Const(2));
  code.dataDrop(data);
  code.memoryCopy(memory, memory, code.i32Const(200), code.i32Const(100), code.i32Const(2));
  code.memoryFill(memory, code.i32Const(300), code.i32Const(7), code.i32Const(3));
  const elem = m.elem([log.index]);
  code.tableInit(elem, table, code.i32Const(2), code.i32Const(0), code.i32Const(1)).elemDrop(elem);
  code.callIndirect(log.type, table, code.i32Const(5), code.i32Const(2));
  m.start(first.index);
  m.custom("note", new Uint8Array([1]));
  const logged: number[] = [];
  const exports = start(m, {
    env: {
      base: new WebAssembly.Global({ value: "i32" }, 50),
      log: (n: number) => logged.push(n),
    },
  }) as unknown as { memory: WebAssembly.Memory; counter: WebAssembly.Global };
  const bytes = new Uint8Array(exports.memory.buffer);
  assert.deepEqual(logged, [5]);
  assert.equal(exports.counter.value, 42n);
  assert.deepEqual([...bytes.subarray(99, 103)], [0, 2, 3, 0]);
  assert.deepEqual([...bytes.subarray(200, 202)], [2, 3]);
  assert.deepEqual([...bytes.subarray(299, 304)], [0, 7, 7, 7, 0]);
  assert.equal(bytes[50], 9);
});

Deno.test("a shared memory is imported and counted in atomically", () => {
  const m = new Module();
  m.memory({ min: 1, max: 1, shared: true, import: ["env", "memory"] });
  const { code: f } = m.func({ results: ["i32"], export: "f" });
  f.i32AtomicRmwAdd(8, f.i32Const(0), f.i32Const(5)).drop();
  f.atomicFence();
  f.i32AtomicLoad(8, f.i32Const(0));
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const { f: count } = start(m, { env: { memory } });
  assert.equal(count?.(), 5);
  assert.equal(count?.(), 10);
});

Deno.test("vectors: constants, lanes, shuffles and loads", () => {
  const f = run([], ["i32"], (f) => {
    const lanes = [3, 2, 1, 0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    const bytes = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
    f.v128Store(16, f.i32Const(0), f.v128Const(bytes));
    f.v128Load({ offset: 12, align: 0 }, f.i32Const(4)).v128Const(bytes).i8x16Shuffle(lanes);
    f.i32x4ExtractLane(0);
  });
  assert.equal(f(), 0x01020304);
});

Deno.test("exceptions are thrown with values and caught by tag", () => {
  const m = new Module();
  const tag = m.tag(["i32"], { export: "tag" });
  const { code: f, params: [x] } = m.func({ params: ["i32"], results: ["i32"], export: "f" });
  const caught = f.block("i32");
  const body = f.tryTable(undefined, [{ tag, label: caught }]);
  f.throw(tag, f.localGet(x)).end(body).unreachable().end(caught);
  f.i32Const(1).i32Add();
  assert.equal(start(m).f?.(41), 42);
});

Deno.test("branch hints stand before the code, counted from the start of the locals", () => {
  const m = new Module();
  const { code: f, params: [x] } = m.func({ params: ["i32"], export: "f" });
  f.local("i64");
  f.localGet(x);
  f.end(f.if(undefined, "unlikely"));
  const bytes = m.finish();
  assert.ok(WebAssembly.validate(bytes));
  const [section] = WebAssembly.Module.customSections(
    new WebAssembly.Module(bytes),
    "metadata.code.branch_hint",
  );
  assert.ok(section);
  // One function, number 0, with one hint: 3 bytes of locals and local.get 0 lie before it.
  assert.deepEqual([...new Uint8Array(section)], [1, 0, 1, 5, 1, 0]);
});

Deno.test("memories of 64-bit addresses and second memories are addressed", () => {
  const m = new Module();
  m.memory({ min: 1, index64: true });
  const second = m.memory({ min: 1 });
  const { code: f } = m.func({ results: ["i32"], export: "f" });
  f.i32Store(0, f.i64Const(8), f.i32Const(1));
  f.i32Store({ memory: second, offset: 4 }, f.i32Const(8), f.i32Const(2));
  f.i32Load(8, f.i64Const(0)).i32Load({ memory: second }, f.i32Const(12)).i32Add();
  assert.equal(start(m).f?.(), 3);
});

Deno.test("what cannot be right is refused at once", () => {
  const m = new Module();
  const { code: f } = m.func();
  assert.throws(() => f.end(), /no block is open/);
  const outer = f.block();
  f.block();
  assert.throws(() => f.end(outer), /block 0 is to be closed, block 1 is open in it/);
  assert.throws(() => m.finish(), /1 blocks are open/);
  assert.throws(() => f.br(7 as Label), /block 7 is not open/);
  assert.throws(() => m.func({ import: ["a", "b"] }), /imported after one was defined/);
  assert.throws(() => f.v128Const([1]), /16 bytes, not 1/);
});

/** Immediates that mean something in the module of the next test. */
const samples: Readonly<Record<string, unknown>> = {
  data: 0,
  elem: 0,
  func: 0,
  global: 0,
  heap: "func",
  label: 0,
  lane: 0,
  lanes: Array.from({ length: 16 }, (_, i) => i),
  local: 0,
  memory: 0,
  table: 0,
  tag: 0,
  type: 0,
};

/** Where the engine finds something else to complain about, or names by an older proposal. */
const saidOtherwise: Readonly<Record<string, string>> = {
  "unreachable": "",
  "nop": "drop",
  "br": "drop",
  "return_call_indirect": "tail call return types mismatch",
  "return_call_ref": "tail call return types mismatch",
  "local.get": "drop",
  "global.get": "drop",
  "memory.size": "drop",
  "ref.null": "drop",
  "ref.func": "drop",
  "data.drop": "drop",
  "elem.drop": "drop",
  "table.size": "drop",
  "i64.add128": "Invalid opcode 0xfc13",
  "i64.sub128": "Invalid opcode 0xfc14",
  "i64.mul_wide_s": "Invalid opcode 0xfc15",
  "i64.mul_wide_u": "Invalid opcode 0xfc16",
  "f32x4.relaxed_madd": "f32x4.qfma",
  "f32x4.relaxed_nmadd": "f32x4.qfms",
  "f64x2.relaxed_madd": "f64x2.qfma",
  "f64x2.relaxed_nmadd": "f64x2.qfms",
  "i16x8.relaxed_dot_i8x16_i7x16_s": "i16x8.dot_i8x16_i7x16_s",
  "i32x4.relaxed_dot_i8x16_i7x16_add_s": "i32x4.dot_i8x16_i7x16_add_s",
};

Deno.test("the engine calls every opcode by the name our table gives it", () => {
  // The operands are missing, and the engine's complaint names the instruction.
  const wrong: string[] = [];
  let asked = 0;
  for (const [name, row] of Object.entries(opcodes)) {
    const m = new Module();
    m.memory({ min: 1, max: 1, shared: name.includes("atomic") });
    m.table({ min: 1 });
    m.global({ type: "i32", mutable: true });
    m.tag(["i32"]);
    const f = m.func({ params: ["i32"], results: ["i32"] });
    m.elem([f.index]);
    m.data([1]);
    const method = name.replace(/[._](.)/g, (_, c: string) => c.toUpperCase());
    const call = (f.code as unknown as Record<string, (...args: unknown[]) => unknown>)[method];
    assert.equal(typeof call, "function", method);
    const kinds = row.filter((item) => typeof item === "string");
    const given = kinds.map((kind) => kind.startsWith("memarg") ? 0 : samples[kind]);
    if (kinds.some((kind) => kind in { block: 0, labels: 0, types: 0, zero: 0, catches: 0 })) {
      continue;
    }
    if (/const$|^else$|^end$/.test(name)) continue;
    if (kinds.includes("label")) f.code.block();
    call?.apply(f.code, given);
    if (kinds.includes("label")) f.code.end();
    f.code.drop().drop();
    let said = "";
    try {
      new WebAssembly.Module(m.finish());
    } catch (error) {
      said = String(error);
    }
    const found = /stack for ([\w.]+)/.exec(said)?.[1] ?? said.replace(/.*: | [@(].*/g, "");
    asked++;
    if (found !== (saidOtherwise[name] ?? name)) wrong.push(`${name}: ${found}`);
  }
  assert.deepEqual(wrong, []);
  assert.equal(asked, 525);
});

Deno.test("a frame writes the same module as the module itself, for any body", () => {
  const declare = () => {
    const module = new Module();
    const log = module.func({ params: ["i32"], import: ["host", "log"] });
    module.memory({ min: 1, export: "memory" });
    const func = module.func({ params: ["i32"], results: ["i32"], export: "f" });
    return { module, log, func };
  };
  const body = (code: Code, log: FuncIndex, value: number) => {
    code.localGet(0 as Local);
    const label = code.if(undefined, "unlikely");
    code.i32Const(value).call(log);
    code.end(label);
    code.i32Const(value);
  };
  const framed = declare();
  const frame = framed.module.frame();
  for (const value of [1, 70_000]) {
    const whole = declare();
    body(whole.func.code, whole.log.index, value);
    const code = createCode(1);
    body(code, framed.log.index, value);
    assert.deepEqual(frame.finish(code), whole.module.finish());
  }
  const two = declare().module;
  two.func();
  assert.throws(() => two.frame(), /a frame has one function, not 2/);
});
