/**
 * What all generated functions share: what they import, a few functions that are
 * generated once for all of them, and the module around each.
 *
 * @module
 */

import { type Code, createCode } from "../../../wasm/code.ts";
import { Module, type ModuleFrame } from "../../../wasm/module.ts";
import type { FuncIndex, Local, ValueType } from "../../../wasm/types.ts";
import type { Machinery } from "./machinery.ts";
import { makeFlagsType, writeMakeFlags } from "./region_flags.ts";

/** What generated code imports of the machine, with types. */
export const imports = {
  load: { params: ["f64", "i32", "i32"], results: ["i32"] },
  store: { params: ["f64", "i32", "i32"], results: ["i32"] },
  update: { params: ["f64", "i32", "i32"], results: ["i32"] },
  finish: { params: ["i32"], results: [] },
  segment: { params: ["i32", "i32", "i32"], results: ["i64"] },
  raise: { params: ["i32", "i32"], results: [] },
  readFlags: { params: ["i32"], results: ["i32"] },
  timeStamp: { params: ["i32"], results: ["i64"] },
  writeFlags: { params: ["i32", "i32", "i32"], results: ["i32"] },
  divide128: { params: ["i64", "i64", "i64", "i32"], results: ["i32"] },
  requireVectors: { params: ["i32", "i32"], results: ["i32"] },
  float: { params: ["i32", "i32"], results: ["i32"] },
  estimate: { params: ["i32", "i32"], results: ["i32"] },
  compareStrings: { params: ["i32", "i32", "i32"], results: ["i32"] },
  system: { params: ["i32"], results: ["i32"] },
} as const satisfies Readonly<
  Record<string, { params: readonly ValueType[]; results: readonly ValueType[] }>
>;

/** What it imports of the module that {@link writeRuntime} writes. */
const generated = {
  mulHighU: { params: ["i64", "i64"], results: ["i64"] },
  mulHighS: { params: ["i64", "i64"], results: ["i64"] },
  makeFlags: makeFlagsType,
} as const;

type FuncType = { readonly params: readonly ValueType[]; readonly results: readonly ValueType[] };

/** Declares everything that generated code imports, and the memory. */
export function declareMachinery(
  module: Module,
  pages: number,
): { machinery: Machinery; system: FuncIndex } {
  const { system, ...others } = imports;
  const declare = (name: string, type: FuncType) =>
    module.func({ ...type, import: ["machine", name] }).index;
  const machinery = Object.fromEntries(
    Object.entries<FuncType>({ ...others, ...generated })
      .map(([name, type]) => [name, declare(name, type)]),
  ) as Record<keyof typeof others | keyof typeof generated, FuncIndex>;
  const systemIndex = declare("system", system);
  declareMemory(module, pages);
  return { machinery, system: systemIndex };
}

function declareMemory(module: Module, pages: number): void {
  module.memory({ import: ["machine", "memory"], min: pages, max: pages, shared: true });
}

/** The module around a function (i32) → i32 that is exported as "0". */
export class FunctionFrame {
  /** What the function may call. */
  readonly machinery: Machinery;
  /** Its parameter. */
  readonly parameter: Local = 0 as Local;
  readonly #frame: ModuleFrame;

  /**
   * A frame.
   *
   * @param pages Of the memory.
   */
  constructor(pages: number) {
    const module = new Module();
    this.machinery = declareMachinery(module, pages).machinery;
    module.func({ params: ["i32"], results: ["i32"], export: "0" });
    this.#frame = module.frame();
  }

  /** Writes a module with a body. */
  write(body: (code: Code) => void): Uint8Array<ArrayBuffer> {
    const code = createCode(1);
    body(code);
    return this.#frame.finish(code);
  }
}

/** Writes the functions that are generated once. */
export function writeRuntime(pages: number): Uint8Array<ArrayBuffer> {
  const module = new Module();
  declareMemory(module, pages);
  writeHighProducts(module);
  const { code, params } = module.func({ ...makeFlagsType, export: "makeFlags" });
  writeMakeFlags(code, params);
  return module.finish();
}

/** The high halves of products of 64 bits, from products of 32. */
function writeHighProducts(module: Module): void {
  const unsigned = module.func({ ...generated.mulHighU, export: "mulHighU" });
  {
    const c = unsigned.code;
    const [a, b] = unsigned.params;
    const low = (x: Local) => c.localGet(x).i64Const(0xffff_ffff).i64And();
    const high = (x: Local) => c.localGet(x).i64Const(32).i64ShrU();
    const middle = c.local("i64");
    const other = c.local("i64");
    // (ah + al)(bh + bl), each column with the carry of the one before.
    low(a);
    high(b);
    c.i64Mul();
    low(a);
    low(b);
    c.i64Mul().i64Const(32).i64ShrU().i64Add().localSet(middle);
    high(a);
    low(b);
    c.i64Mul();
    low(middle);
    c.i64Add().localSet(other);
    high(a);
    high(b);
    c.i64Mul();
    high(middle);
    c.i64Add();
    high(other);
    c.i64Add();
  }
  const signed = module.func({ ...generated.mulHighS, export: "mulHighS" });
  {
    const c = signed.code;
    const [a, b] = signed.params;
    // A negative factor counts 2^64 too much.
    c.localGet(a).localGet(b).call(unsigned.index);
    c.localGet(a).i64Const(63).i64ShrS().localGet(b).i64And().i64Sub();
    c.localGet(b).i64Const(63).i64ShrS().localGet(a).i64And().i64Sub();
  }
}
