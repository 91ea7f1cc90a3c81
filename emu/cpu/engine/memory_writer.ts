/**
 * Memory in generated code: segments, the translation buffers, the long way round,
 * and how an instruction ends with an exception.
 *
 * @module
 */

import type { Code } from "../../../wasm/code.ts";
import type { Label, Local } from "../../../wasm/types.ts";
import type { Mode } from "../instruction.ts";
import * as at from "../layout.ts";
import { attribute } from "../processor.ts";
import type { Fault, Width } from "../semantics/emitter.ts";
import { FlagWriter } from "./flags.ts";
import { INFO_SEGMENT_SHIFT, INFO_WRITE, type Machinery } from "./machinery.ts";
import type { Value } from "./values.ts";

const vectorNumbers: Readonly<Record<Fault, number>> = {
  ...{ "#DE": 0, "#DB": 1, "#BP": 3, "#OF": 4, "#BR": 5, "#UD": 6, "#SS": 12, "#GP": 13 },
  ...{ "#XM": 19 },
};

/** Writes accesses to memory. */
export abstract class MemoryWriter extends FlagWriter {
  /** Width of the code. */
  mode!: Mode;
  /** Segments ES, CS, SS and DS start at 0 and end nowhere. */
  protected isFlat = false;

  /** Variables with the linear window, as wide as an address; see window.ts. */
  protected window:
    | { readonly base: Local; readonly length: Local; readonly addend: Local }
    | undefined;
  /** Byte address of the current read buffer; writes follow. */
  protected abstract pushTlb(): Code;
  /** Pushes the micro-operation's address. */
  protected abstract pushPc(): Code;
  /** Where to go when the instruction has faulted. */
  protected abstract readonly faulted: Label;
  /** Where to go then while something is to be put right before. */
  protected faultedWithin: Label | undefined;
  /** Before the machine is called, which looks at the budget and may cut it. */
  protected beforeCall(): void {}
  /** After that. */
  protected afterCall(): void {}

  protected constructor(code: Code, protected readonly machinery: Machinery) {
    super(code, machinery);
  }

  protected divideErrorIf(): void {
    this.raiseIf("#DE");
  }

  /** Raises an exception if the i32 on the stack is not zero. */
  protected raiseIf(fault: Fault): void {
    const { c } = this;
    const label = c.if(undefined, "unlikely");
    this.raise(fault);
    c.end(label);
  }

  /** Raises an exception. */
  protected raise(fault: Fault): void {
    const { c } = this;
    c.i32Const(vectorNumbers[fault]);
    this.pushPc();
    c.call(this.machinery.raise).br(this.faultedWithin ?? this.faulted);
  }

  load(segment: number, address: Value, width: Width): Value {
    return this.loadHost(this.hostFor("load", segment, address, width), width);
  }

  loadForStore(segment: number, address: Value, width: Width): Value {
    return this.loadHost(this.hostFor("update", segment, address, width), width);
  }

  store(segment: number, address: Value, value: Value): void {
    const { c } = this;
    const { width } = value;
    const linear = this.#linear(segment, address, width / 8, true);
    const host = this.variable("i32");
    this.#probe(linear, width / 8, at.TLB_SIZE, host);
    const miss = c.if(undefined, "unlikely");
    this.#slow("store", linear, segment, width / 8, host);
    this.storeHost(host, value);
    this.finishIfScratch(host);
    c.else();
    this.storeHost(host, value);
    c.end(miss);
  }

  requireAligned(segment: number, address: Value, bytes: number): void {
    const linear = this.#linear(segment, address, bytes, false);
    this.narrow(linear).i32Const(bytes - 1).i32And();
    this.raiseIf("#GP");
  }

  /** The linear address: i32, in 64-bit code i64. */
  #linear(segment: number, address: Value, bytes: number, write: boolean): Value {
    const { c } = this;
    if (this.mode === 64) {
      const offset = this.zeroExtend(address, 64);
      if (segment < 4) return offset;
      c.i32Const(0).i64Load(at.REGISTERS + 8 * (at.SLOT_BASES + segment));
      this.raw(offset).i64Add();
      return this.keep(64);
    }
    // Code segments are not written.
    const isPlain = this.isFlat && segment < 4 && !(write && segment === 1);
    if (isPlain) return this.zeroExtend(address, 32);
    return this.#throughSegment(segment, this.zeroExtend(address, 32), bytes, write);
  }

  /** Adds a segment's base, behind the checks of its limit and type. */
  #throughSegment(segment: number, offset: Value, bytes: number, write: boolean): Value {
    const { c } = this;
    const register = at.SEGMENTS + at.SEGMENT_SIZE * segment;
    const linear = this.variable("i32");
    const end = this.variable("i32");
    c.i32Const(0).i32Load(at.REGISTERS + 8 * (at.SLOT_BASES + segment));
    this.raw(offset).i32Add().localSet(linear);
    this.raw(offset).i32Const(bytes - 1).i32Add().localTee(end);
    c.i32Const(0).i32Load(register).i32GtU();
    c.localGet(end);
    this.raw(offset).i32LtU().i32Or();
    // Data that does not expand down; what is written must be writable. All else
    // is looked at more closely.
    const { code, expandDown, unusable, writable } = attribute;
    c.i32Const(0).i32Load(register + 4);
    c.i32Const(code | expandDown | unusable | (write ? writable : 0)).i32And();
    c.i32Const(write ? writable : 0).i32Ne().i32Or();
    const other = c.if(undefined, "unlikely");
    const found = this.variable("i64");
    this.beforeCall();
    this.raw(offset).i32Const(segment << INFO_SEGMENT_SHIFT | bytes | (write ? INFO_WRITE : 0));
    this.pushPc();
    c.call(this.machinery.segment).localSet(found);
    this.afterCall();
    c.localGet(found).i64Const(-1).i64Eq().brIf(this.faultedWithin ?? this.faulted);
    c.localGet(found).i32WrapI64().localSet(linear);
    c.end(other);
    return { width: 32, local: linear, low: 0, high: 0, isClean: true, most: 2 ** 32 - 1 };
  }

  /** Adds the linear window's distance, and opens the block of what lies outside of it. */
  #throughWindow(linear: Value, host: Local): Label | undefined {
    const { c, window } = this;
    if (window === undefined) return undefined;
    this.narrow(linear).localGet(window.addend).i32Add().localSet(host);
    this.raw(linear).localGet(window.base);
    if (linear.width === 64) c.i64Sub().localGet(window.length).i64GeU();
    else c.i32Sub().localGet(window.length).i32GeU();
    return c.if();
  }

  /** Looks an access up: the host's address goes to a variable, and whether it missed to the stack. */
  #probe(linear: Value, bytes: number, table: number, host: Local): void {
    const { c } = this;
    const entry = this.variable("i32");
    // The entry: page number times 16.
    this.pushTlb();
    this.narrow(linear).i32Const(8).i32ShrU().i32Const((at.TLB_ENTRIES - 1) << 4).i32And().i32Add();
    c.localTee(entry).i32Load(table + 8);
    this.narrow(linear).i32Add().localSet(host);
    // The page of the last byte must be that of the tag: this finds crossings, too.
    if (linear.width === 64) {
      c.localGet(entry).i64Load(table);
      this.raw(linear);
      if (bytes > 1) c.i64Const(bytes - 1).i64Add();
      c.i64Const(-0x1000).i64And().i64Ne();
    } else {
      // Entries of 64-bit code are there as well.
      c.localGet(entry).i64Load(table);
      this.raw(linear);
      if (bytes > 1) c.i32Const(bytes - 1).i32Add();
      c.i32Const(-0x1000).i32And().i64ExtendI32U().i64Ne();
    }
  }

  /** The long way to the host's address. */
  #slow(
    how: "load" | "store" | "update",
    linear: Value,
    segment: number,
    bytes: number,
    host: Local,
  ): void {
    const { c } = this;
    this.beforeCall();
    this.raw(linear);
    if (linear.width === 64) c.f64ConvertI64S();
    else c.f64ConvertI32U();
    c.i32Const(segment << INFO_SEGMENT_SHIFT | bytes);
    this.pushPc();
    c.call(this.machinery[how]).localSet(host);
    this.afterCall();
    c.localGet(host).i32Eqz().brIf(this.faultedWithin ?? this.faulted);
  }

  /** The host's address of memory that is read, or read to be written. */
  protected hostFor(how: "load" | "update", segment: number, address: Value, width: Width): Local {
    const { c } = this;
    const write = how === "update";
    const linear = this.#linear(segment, address, width / 8, write);
    const host = this.variable("i32");
    const outside = write ? undefined : this.#throughWindow(linear, host);
    this.#probe(linear, width / 8, write ? at.TLB_SIZE : 0, host);
    const miss = c.if(undefined, "unlikely");
    this.#slow(how, linear, segment, width / 8, host);
    c.end(miss);
    if (outside !== undefined) c.end(outside);
    return host;
  }

  /** Reads at a host's address. */
  protected loadHost(host: Local, width: Width): Value {
    const { c } = this;
    c.localGet(host);
    const align = { align: 0 };
    if (width === 8) c.i32Load8U(0);
    else if (width === 16) c.i32Load16U(align);
    else if (width === 32) c.i32Load(align);
    else if (width === 64) c.i64Load(align);
    else c.v128Load(align);
    return this.keep(width);
  }

  /** Writes there. */
  protected storeHost(host: Local, value: Value): void {
    const { c } = this;
    c.localGet(host);
    this.raw(value);
    const align = { align: 0 };
    if (value.width === 8) c.i32Store8(0);
    else if (value.width === 16) c.i32Store16(align);
    else if (value.width === 32) c.i32Store(align);
    else if (value.width === 64) c.i64Store(align);
    else c.v128Store(align);
  }

  /** Takes what was written to where it belongs, if it is not there yet. */
  protected finishIfScratch(host: Local): void {
    const { c } = this;
    c.localGet(host).i32Const(at.SCRATCH).i32Eq();
    const label = c.if(undefined, "unlikely");
    this.beforeCall();
    this.pushPc();
    c.call(this.machinery.finish);
    this.afterCall();
    c.end(label);
  }
}
