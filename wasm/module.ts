/**
 * A WebAssembly module, declared in any order and written in the one that the
 * format wants.
 *
 * ```ts
 * import { Module } from "./module.ts";
 *
 * const m = new Module();
 * const add = m.func({ params: ["i32", "i32"], results: ["i32"], export: "add" });
 * const [a, b] = add.params;
 * add.code.i32Add(add.code.localGet(a), add.code.localGet(b));
 * const { instance } = await WebAssembly.instantiate(m.finish());
 * ```
 *
 * Imports come before definitions in every index space, so they must be
 * declared first.
 *
 * @module
 */

import { type Code, createCode } from "./code.ts";
import {
  type DataIndex,
  type ElemIndex,
  type FuncIndex,
  type GlobalIndex,
  type Local,
  type MemoryIndex,
  type TableIndex,
  type TagIndex,
  type TypeIndex,
  type ValueType,
  writeValueType,
} from "./types.ts";
import { ByteWriter } from "./writer.ts";

/** Where something is imported from: the module's name, then its own. */
export type ImportName = readonly [module: string, name: string];

/** What all declarations may say. */
export interface Declared {
  /** Imported from there instead of defined here. */
  readonly import?: ImportName;
  /** Exported under this name. */
  readonly export?: string;
}

/** A function's declaration. */
export interface FuncDeclaration<Params extends readonly ValueType[]> extends Declared {
  /** Types of the parameters. */
  readonly params?: Params;
  /** Types of the results. */
  readonly results?: readonly ValueType[];
  /** Its name in stack traces and profiles; default the export's. */
  readonly name?: string;
}

/** A function that was declared. */
export interface Func<Params extends readonly ValueType[] = readonly ValueType[]> {
  /** What `call` and `ref.func` take. */
  readonly index: FuncIndex;
  /** Its type. */
  readonly type: TypeIndex;
  /** Its parameters as locals. */
  readonly params: { readonly [I in keyof Params]: Local };
  /** Its body; writing to that of an imported function has no effect. */
  readonly code: Code;
}

/** How large a memory (in pages of 64 KiB) or table (in elements) is. */
export interface Limits {
  /** To start with. */
  readonly min: number;
  /** At most; absent: whatever the engine allows. */
  readonly max?: number;
  /** Indices are 64 bits wide. */
  readonly index64?: boolean;
}

/** A memory's declaration; sizes in pages of 64 KiB. */
export interface MemoryDeclaration extends Declared, Limits {
  /** Shared between threads; needs a maximum. */
  readonly shared?: boolean;
}

/** A table's declaration. */
export interface TableDeclaration extends Declared, Limits {
  /** What it holds; default functions. */
  readonly type?: ValueType;
}

/** A constant: a number, the value of an imported global, a function, null, or any code. */
export type Constant =
  | number
  | bigint
  | { readonly global: GlobalIndex }
  | { readonly func: FuncIndex }
  | { readonly code: (code: Code) => void }
  | null;

/** A global variable's declaration. */
export interface GlobalDeclaration extends Declared {
  /** Its type. */
  readonly type: ValueType;
  /** Whether it may be set. */
  readonly mutable?: boolean;
  /** Its first value; default 0 or null. Not for an import. */
  readonly value?: Constant;
}

/** A data segment's declaration; without `at` it waits for `memory.init`. */
export interface DataDeclaration {
  /** Where it goes when the module starts. */
  readonly at?: Constant;
  /** Which memory; default the first. */
  readonly memory?: MemoryIndex;
}

/** An element segment's declaration; without `at` it waits for `table.init`. */
export interface ElemDeclaration {
  /** Where it goes when the module starts. */
  readonly at?: Constant;
  /** Which table; default the first. */
  readonly table?: TableIndex;
  /** Only declares the functions, so that `ref.func` may name them. */
  readonly declare?: boolean;
}

/** What can be imported and exported. */
export type Kind = "func" | "table" | "memory" | "global" | "tag";

const kinds: Readonly<Record<Kind, number>> = { func: 0, table: 1, memory: 2, global: 3, tag: 4 };

/** The sections by number, in the order in which they must stand. */
const sections = {
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  tag: 13,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  dataCount: 12,
  code: 10,
  data: 11,
} as const;

/** One section in the making: its entries and their number. */
class Section {
  readonly out = new ByteWriter(64);
  count = 0;
}

/** A module in the making. */
export class Module {
  readonly #sections = new Map<keyof typeof sections, Section>();
  readonly #types = new Map<string, TypeIndex>();
  readonly #counts = { func: 0, table: 0, memory: 0, global: 0, tag: 0 };
  readonly #defined: { readonly index: FuncIndex; readonly code: Code }[] = [];
  readonly #names: [index: number, name: string][] = [];
  readonly #customs: { readonly name: string; readonly bytes: Uint8Array }[] = [];
  #start: FuncIndex | undefined;

  /** A function type; the same one for the same parameters and results. */
  type(params: readonly ValueType[], results: readonly ValueType[] = []): TypeIndex {
    const key = JSON.stringify([params, results]);
    const known = this.#types.get(key);
    if (known !== undefined) return known;
    const out = this.#entry("type");
    out.byte(0x60);
    writeTypes(out, params);
    writeTypes(out, results);
    const index = this.#types.size as TypeIndex;
    this.#types.set(key, index);
    return index;
  }

  /** A function. Its index is known at once, so that functions may call each other. */
  func<const Params extends readonly ValueType[] = readonly []>(
    declaration: FuncDeclaration<Params> = {},
  ): Func<Params> {
    const { params = [], results = [], name = declaration.export } = declaration;
    const type = this.type(params, results);
    const index = this.#declare("func", declaration, (out) => out.uleb(type)) as FuncIndex;
    const code = createCode(params.length);
    if (declaration.import === undefined) {
      this.#entry("function").uleb(type);
      this.#defined.push({ index, code });
    }
    if (name !== undefined) this.#names.push([index, name]);
    const locals = params.map((_, i) => i as Local);
    return { index, type, params: locals as unknown as Func<Params>["params"], code };
  }

  /** A memory. */
  memory(declaration: MemoryDeclaration): MemoryIndex {
    const write = (out: ByteWriter) => writeLimits(out, declaration, declaration.shared);
    const index = this.#declare("memory", declaration, write) as MemoryIndex;
    if (declaration.import === undefined) write(this.#entry("memory"));
    return index;
  }

  /** A table. */
  table(declaration: TableDeclaration): TableIndex {
    const write = (out: ByteWriter) => {
      writeValueType(out, declaration.type ?? "funcref");
      writeLimits(out, declaration);
    };
    const index = this.#declare("table", declaration, write) as TableIndex;
    if (declaration.import === undefined) write(this.#entry("table"));
    return index;
  }

  /** A global variable. */
  global(declaration: GlobalDeclaration): GlobalIndex {
    const write = (out: ByteWriter) => {
      writeValueType(out, declaration.type);
      out.byte(declaration.mutable ? 1 : 0);
    };
    const index = this.#declare("global", declaration, write) as GlobalIndex;
    if (declaration.import === undefined) {
      const out = this.#entry("global");
      write(out);
      writeConstant(out, declaration.type, declaration.value);
    }
    return index;
  }

  /** An exception tag. */
  tag(params: readonly ValueType[], declaration: Declared = {}): TagIndex {
    const type = this.type(params);
    const write = (out: ByteWriter) => {
      out.byte(0);
      out.uleb(type);
    };
    const index = this.#declare("tag", declaration, write) as TagIndex;
    if (declaration.import === undefined) write(this.#entry("tag"));
    return index;
  }

  /** A data segment. */
  data(bytes: Uint8Array | readonly number[], declaration: DataDeclaration = {}): DataIndex {
    const { at, memory = 0 } = declaration;
    const index = this.#section("data").count as DataIndex;
    const out = this.#entry("data");
    out.byte(at === undefined ? 1 : memory === 0 ? 0 : 2);
    if (at !== undefined) {
      if (memory !== 0) out.uleb(memory);
      writeConstant(out, "i32", at);
    }
    out.uleb(bytes.length);
    out.raw(bytes);
    return index;
  }

  /** An element segment of functions. */
  elem(functions: readonly FuncIndex[], declaration: ElemDeclaration = {}): ElemIndex {
    const { at, table = 0, declare = false } = declaration;
    const index = this.#section("element").count as ElemIndex;
    const out = this.#entry("element");
    if (at === undefined) {
      out.byte(declare ? 3 : 1);
      out.byte(0);
    } else if (table === 0) {
      out.byte(0);
      writeConstant(out, "i32", at);
    } else {
      out.byte(2);
      out.uleb(table);
      writeConstant(out, "i32", at);
      out.byte(0);
    }
    out.uleb(functions.length);
    for (const func of functions) out.uleb(func);
    return index;
  }

  /** Exports something under a name, or under a further one. */
  export(name: string, kind: Kind, index: number): void {
    const out = this.#entry("export");
    out.name(name);
    out.byte(kinds[kind]);
    out.uleb(index);
  }

  /** Names the function that runs when the module is instantiated. */
  start(func: FuncIndex): void {
    this.#start = func;
  }

  /** A custom section; it stands at the end. */
  custom(name: string, bytes: Uint8Array): void {
    this.#customs.push({ name, bytes });
  }

  /**
   * Writes the module. Bodies are taken as they are now.
   *
   * @throws {TypeError} If a block of a function is open.
   */
  finish(): Uint8Array<ArrayBuffer> {
    const out = new ByteWriter(1024);
    this.#writeBefore(out);
    writeCode(out, this.#defined);
    this.#writeBehind(out);
    return out.written();
  }

  /**
   * Takes the module as it is but for the body of its one function, for many
   * modules that differ in nothing else.
   *
   * @throws {TypeError} If it has no function of its own, or several.
   */
  frame(): ModuleFrame {
    const [only] = this.#defined;
    if (only === undefined || this.#defined.length > 1) {
      throw new TypeError(`a frame has one function, not ${this.#defined.length}`);
    }
    const [before, behind] = [new ByteWriter(1024), new ByteWriter(64)];
    this.#writeBefore(before);
    this.#writeBehind(behind);
    return new ModuleFrame(only.index, before.written(), behind.written());
  }

  /** Everything that stands before the code. */
  #writeBefore(out: ByteWriter): void {
    out.raw([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    for (const [key, id] of Object.entries(sections)) {
      switch (key as keyof typeof sections) {
        case "start":
          if (this.#start !== undefined) writeSection(out, id, undefined, [leb(this.#start)]);
          break;
        case "dataCount": {
          const data = this.#sections.get("data");
          if (data !== undefined) writeSection(out, id, undefined, [leb(data.count)]);
          break;
        }
        case "code":
          return;
        default: {
          const section = this.#sections.get(key as keyof typeof sections);
          if (section === undefined) break;
          writeSection(out, id, undefined, [leb(section.count), section.out.written()]);
        }
      }
    }
  }

  /** Everything that stands behind it. */
  #writeBehind(out: ByteWriter): void {
    const data = this.#sections.get("data");
    if (data !== undefined) {
      writeSection(out, sections.data, undefined, [leb(data.count), data.out.written()]);
    }
    if (this.#names.length > 0) {
      const names = new ByteWriter();
      names.uleb(this.#names.length);
      for (const [index, name] of this.#names) {
        names.uleb(index);
        names.name(name);
      }
      writeSection(out, 0, "name", [[1], leb(names.length), names.written()]);
    }
    for (const { name, bytes } of this.#customs) writeSection(out, 0, name, [bytes]);
  }

  #section(name: keyof typeof sections): Section {
    let section = this.#sections.get(name);
    if (section === undefined) this.#sections.set(name, section = new Section());
    return section;
  }

  #entry(name: keyof typeof sections): ByteWriter {
    const section = this.#section(name);
    section.count++;
    return section.out;
  }

  /** Takes the next index of a kind and writes import and export. */
  #declare(kind: Kind, declared: Declared, describe: (out: ByteWriter) => void): number {
    if (declared.import !== undefined) {
      const entries = this.#sections.get(kind === "func" ? "function" : kind);
      if (entries !== undefined) {
        throw new TypeError(`a ${kind} is imported after one was defined`);
      }
      const out = this.#entry("import");
      out.name(declared.import[0]);
      out.name(declared.import[1]);
      out.byte(kinds[kind]);
      describe(out);
    }
    const index = this.#counts[kind]++;
    if (declared.export !== undefined) this.export(declared.export, kind, index);
    return index;
  }
}

/** A module but for the body of its one function; see {@link Module.frame}. */
export class ModuleFrame {
  readonly #index: FuncIndex;
  readonly #before: Uint8Array;
  readonly #behind: Uint8Array;

  /** By what stands before the code and behind it. */
  constructor(index: FuncIndex, before: Uint8Array, behind: Uint8Array) {
    this.#index = index;
    this.#before = before;
    this.#behind = behind;
  }

  /**
   * Writes the module with a body, which is one for the function's parameters.
   *
   * @throws {TypeError} If a block of it is open.
   */
  finish(code: Code): Uint8Array<ArrayBuffer> {
    const out = new ByteWriter(code.out.length + this.#before.length + this.#behind.length + 256);
    out.raw(this.#before);
    writeCode(out, [{ index: this.#index, code }]);
    out.raw(this.#behind);
    return out.written();
  }
}

/** Writes bodies, and before them the hints about their branches. */
function writeCode(
  out: ByteWriter,
  functions: readonly { readonly index: FuncIndex; readonly code: Code }[],
): void {
  const bodies = new ByteWriter(4096);
  const hints = new ByteWriter(64);
  let hinted = 0;
  for (const { index, code } of functions) {
    const start = code.finish(bodies);
    if (code.hints.length === 0) continue;
    hinted++;
    hints.uleb(index);
    hints.uleb(code.hints.length);
    for (const { at, likely } of code.hints) {
      hints.uleb(start + at);
      hints.byte(1);
      hints.byte(likely ? 1 : 0);
    }
  }
  if (hinted > 0) {
    writeSection(out, 0, "metadata.code.branch_hint", [leb(hinted), hints.written()]);
  }
  if (functions.length > 0) {
    writeSection(out, sections.code, undefined, [leb(functions.length), bodies.written()]);
  }
}

function leb(value: number): Uint8Array {
  const out = new ByteWriter(5);
  out.uleb(value);
  return out.written();
}

function writeSection(
  out: ByteWriter,
  id: number,
  name: string | undefined,
  parts: readonly (Uint8Array | readonly number[])[],
): void {
  const title = new ByteWriter(32);
  if (name !== undefined) title.name(name);
  out.byte(id);
  out.uleb(parts.reduce((sum, part) => sum + part.length, title.length));
  out.raw(title.written());
  for (const part of parts) out.raw(part);
}

function writeTypes(out: ByteWriter, types: readonly ValueType[]): void {
  out.uleb(types.length);
  for (const type of types) writeValueType(out, type);
}

function writeLimits(out: ByteWriter, limits: Limits, shared = false): void {
  const { min, max, index64 = false } = limits;
  out.byte((max === undefined ? 0 : 1) | (shared ? 2 : 0) | (index64 ? 4 : 0));
  out.uleb(min);
  if (max !== undefined) out.uleb(max);
}

function writeConstant(out: ByteWriter, type: ValueType, value: Constant | undefined): void {
  const code = createCode(0);
  if (typeof value === "object" && value !== null) {
    if ("global" in value) code.globalGet(value.global);
    else if ("func" in value) code.refFunc(value.func);
    else value.code(code);
  } else {
    writeNumber(code, type, value ?? 0);
  }
  out.raw(code.out.written());
  out.byte(0x0b);
}

function writeNumber(code: Code, type: ValueType, value: number | bigint): void {
  switch (type) {
    case "i32":
      code.i32Const(Number(value));
      break;
    case "i64":
      code.i64Const(value);
      break;
    case "f32":
      code.f32Const(Number(value));
      break;
    case "f64":
      code.f64Const(Number(value));
      break;
    case "v128":
      code.v128Const(new Uint8Array(16));
      break;
    case "externref":
      code.refNull("extern");
      break;
    case "exnref":
      code.refNull("exn");
      break;
    default:
      code.refNull(typeof type === "object" ? type.ref : "func");
  }
}
