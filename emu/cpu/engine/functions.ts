/**
 * The functions that code is generated to: interpreters, handlers of their own,
 * compiled regions. Each is made when it is first needed.
 *
 * @module
 */

import { Decoder } from "../decode.ts";
import { Instruction, type Mode } from "../instruction.ts";
import { shapesOfArms } from "./arms.ts";
import { OutlinedEmitter } from "./handlers.ts";
import { writeInterpreter } from "./interpreter.ts";
import { NoCodeError, type Shape } from "./machinery.ts";
import { ARMS, type Decoders } from "./microcode.ts";
import { FunctionFrame, writeRuntime } from "./runtime.ts";

/** An interpreter: enters a block, and says why it came back. */
export type Interpreter = (block: number) => number;

/** Generated functions of one processor. */
export class Functions {
  /** The decoders, made when first asked for. */
  readonly decoders: Decoders;
  /** The module around each function. */
  readonly frame: FunctionFrame;

  readonly #pages: number;
  readonly #imports: WebAssembly.Imports;
  readonly #table = new WebAssembly.Table({ element: "anyfunc", initial: 1024 });
  readonly #arms = new Map<number, number>();
  readonly #outlined = new Map<number, number | undefined>();
  readonly #interpreters: Record<"wide" | "narrow", Interpreter | undefined> = {
    wide: undefined,
    narrow: undefined,
  };
  #count = 0;

  /**
   * None yet.
   *
   * @param memory The machine's memory.
   * @param machinery What generated code calls, by the names of `imports`.
   */
  constructor(
    memory: WebAssembly.Memory,
    machinery: WebAssembly.ModuleImports,
    has: (feature: string) => boolean,
  ) {
    this.#pages = memory.buffer.byteLength / 0x10000;
    const runtime = new WebAssembly.Instance(
      new WebAssembly.Module(writeRuntime(this.#pages)),
      { machine: { memory } },
    );
    this.#imports = {
      machine: { ...machinery, ...runtime.exports, memory, table: this.#table },
    };
    this.frame = new FunctionFrame(this.#pages);
    this.decoders = decodersFor(has);
  }

  /** The interpreter for code of some width. 16-bit code has no arms of its own. */
  interpreter(mode: Mode): Interpreter {
    const which = mode === 64 ? "wide" : "narrow";
    const made = this.#interpreters[which];
    if (made !== undefined) return made;
    const shapes = shapesOfArms(this.decoders[mode === 64 ? 64 : 32]);
    for (const [n, { key }] of shapes.entries()) this.#arms.set(key, ARMS + n);
    const { exports } = this.#make(writeInterpreter(this.#pages, shapes.map(({ shape }) => shape)));
    return this.#interpreters[which] = exports.run as Interpreter;
  }

  /** The arm of the interpreter at hand for a shape, by its key, if it has one. */
  arm(key: number, mode: Mode): number | undefined {
    this.interpreter(mode);
    return this.#arms.get(key);
  }

  /** The number of the function for a shape; undefined: there is no code for it. */
  outlined(key: number, shape: Shape): number | undefined {
    if (this.#outlined.has(key)) return this.#outlined.get(key);
    let index: number | undefined;
    try {
      const copy = { ...shape, i: Object.assign(new Instruction(), shape.i) };
      const { machinery, parameter } = this.frame;
      index = this.install(this.frame.write((code) => {
        const emitter = new OutlinedEmitter(code, machinery, parameter);
        emitter.writeHandler(copy);
        emitter.close();
      }));
    } catch (error) {
      if (!(error instanceof NoCodeError)) throw error;
    }
    this.#outlined.set(key, index);
    return index;
  }

  /** Makes a function of a module that exports it as "0", and gives its number. */
  install(code: Uint8Array<ArrayBuffer>): number {
    const { exports } = this.#make(code);
    const index = this.#count++;
    if (index >= this.#table.length) this.#table.grow(4096);
    this.#table.set(index, exports["0"] as CallableFunction);
    return index;
  }

  /** Takes a function away. */
  remove(index: number): void {
    this.#table.set(index, null);
  }

  #make(code: Uint8Array<ArrayBuffer>): WebAssembly.Instance {
    return new WebAssembly.Instance(new WebAssembly.Module(code), this.#imports);
  }
}

/** The decoders, each made when it is first asked for. */
function decodersFor(has: (feature: string) => boolean): Decoders {
  const made = new Map<Mode, Decoder>();
  const of = (mode: Mode) => {
    let decoder = made.get(mode);
    if (decoder === undefined) made.set(mode, decoder = new Decoder(mode, has));
    return decoder;
  };
  return {
    get 16() {
      return of(16);
    },
    get 32() {
      return of(32);
    },
    get 64() {
      return of(64);
    },
  };
}
