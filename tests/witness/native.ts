/**
 * Runs single instructions on the processor that this runs on.
 *
 * Needs x86-64 Linux. Instructions run in this very process, in pages at fixed
 * addresses: 64-bit ones where they are, 32-bit ones behind a far return into
 * the segment that Linux has for 32-bit programs. What raises #XM may be run: its
 * signal is caught. What raises anything else may not.
 *
 * @module
 */

import {
  codeAt,
  dataAt,
  dataSize,
  landingAt,
  type ProcessorAnswer,
  type ProcessorCase,
} from "../../testdata/processor_cases.ts";

/** Where the pages are that case and harness share. */
const base = 0x2000_0000;
const pages = 0x3_0000;
const registersAt = base + 0x4000;
const flagsAt = base + 0x4100;
const outAt = base + 0x4200;
const outFlagsAt = base + 0x4300;
const savedAt = base + 0x4400;
const jumpedAt = base + 0x4500;
const stackAt = base + 0x6000;
// Images of FXSAVE: what the case starts from, what it leaves, what the host had.
const floatAt = base + 0xa000;
const outFloatAt = base + 0xa200;
const hostFloatAt = base + 0xa400;
// MXCSR as an exception left it; zero: none.
const raisedAt = base + 0xa600;
const endNowAt = base + 0xa608;
const handlerAt = base + 0x8c00;
const signalStackAt = base + 0x1_0000;
const signalStackSize = 0x2_0000;
const harnessAt: Readonly<Record<32 | 64, number>> = { 32: base + 0x8200, 64: base + 0x8000 };
const endAt: Readonly<Record<32 | 64, number>> = { 32: base + 0x8900, 64: base + 0x8480 };

const word = (value: number): number[] => [0, 8, 16, 24].map((by) => value >>> by & 0xff);

/** MOV between a 64-bit register and an absolute address. */
function move64(opcode: number, register: number, address: number): number[] {
  const rex = 0x48 | (register >= 8 ? 4 : 0);
  return [rex, opcode, (register & 7) << 3 | 4, 0x25, ...word(address)];
}

/** MOV between a 32-bit register and an absolute address, in 32-bit code. */
function move32(opcode: number, register: number, address: number): number[] {
  return [opcode, register << 3 | 5, ...word(address)];
}

/** FXSAVE (0) or FXRSTOR (1) of an absolute address, in 64-bit code. */
const float64 = (
  digit: 0 | 1,
  address: number,
): number[] => [0x0f, 0xae, digit << 3 | 4, 0x25, ...word(address)];

const others = (count: number) => Array.from({ length: count }, (_, n) => n).filter((n) => n !== 4);
const jump = (from: number, to: number) => [0xe9, ...word(to - from - 5)];
const [load, store] = [0x8b, 0x89];
const saveAll = [0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57, 0x9c];
const restoreAll = [0x9d, 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3];

/** The code around the instruction, by address. */
function harness(): Map<number, number[]> {
  const code = new Map<number, number[]>();
  const put = (at: number, ...bytes: readonly number[][]) => code.set(at, bytes.flat());
  const then = (at: number, to: number, bytes: number[]) =>
    put(at, bytes, jump(at + bytes.length, to));

  then(harnessAt[64], codeAt[64], [
    ...saveAll,
    ...move64(store, 4, savedAt),
    ...float64(0, hostFloatAt),
    ...float64(1, floatAt),
    ...[0xff, 0x34, 0x25, ...word(flagsAt), 0x9d],
    ...others(16).flatMap((n) => move64(load, n, registersAt + 8 * n)),
    ...move64(load, 4, registersAt + 32),
  ]);
  then(landingAt[64], endAt[64], [0xc6, 0x04, 0x25, ...word(jumpedAt), 1]);
  put(endAt[64], [
    ...Array.from({ length: 16 }, (_, n) => move64(store, n, outAt + 8 * n)).flat(),
    ...float64(0, outFloatAt),
    ...float64(1, hostFloatAt),
    ...move64(load, 4, savedAt),
    ...[0x9c, 0x8f, 0x04, 0x25, ...word(outFlagsAt)],
    ...restoreAll,
  ]);

  const start32 = base + 0x8600;
  const back = base + 0x8a00;
  put(harnessAt[32], [
    ...saveAll,
    ...move64(store, 4, savedAt),
    ...float64(0, hostFloatAt),
    ...float64(1, floatAt),
    ...[0x6a, 0x23, 0x68, ...word(start32), 0x48, 0xcb],
  ]);
  then(start32, codeAt[32], [
    ...[0xb8, ...word(0x2b), 0x8e, 0xd8, 0x8e, 0xc0],
    ...[0xbc, ...word(stackAt)],
    ...[0xff, 0x35, ...word(flagsAt), 0x9d],
    ...others(8).flatMap((n) => move32(load, n, registersAt + 8 * n)),
    ...move32(load, 4, registersAt + 32),
  ]);
  then(landingAt[32], endAt[32], [0xc6, 0x05, ...word(jumpedAt), 1]);
  put(endAt[32], [
    ...Array.from({ length: 8 }, (_, n) => move32(store, n, outAt + 8 * n)).flat(),
    ...[0xbc, ...word(stackAt)],
    ...[0x9c, 0x8f, 0x05, ...word(outFlagsAt)],
    ...[0xb8, ...word(0), 0x8e, 0xd8, 0x8e, 0xc0],
    ...[0xea, ...word(back), 0x33, 0x00],
  ]);
  put(back, [
    ...float64(0, outFloatAt),
    ...float64(1, hostFloatAt),
    ...move64(load, 4, savedAt),
    ...restoreAll,
  ]);
  // SIGFPE: notes MXCSR, masks all, and goes on behind the instruction. RDX has
  // the context: RIP at 168, a pointer to the image of FXSAVE at 224.
  put(handlerAt, [
    ...[0x48, 0x8b, 0x82, ...word(224)],
    ...[0x8b, 0x48, 24, 0x89, 0x0c, 0x25, ...word(raisedAt)],
    ...[0xc7, 0x40, 24, ...word(0x1f80)],
    ...[0x8b, 0x0c, 0x25, ...word(endNowAt)],
    ...[0x48, 0x89, 0x8a, ...word(168), 0xc3],
  ]);
  return code;
}

/** x87 as FNINIT leaves it, SSE as after reset, all registers zero: an image of FXSAVE. */
export function floatImage(): Uint8Array<ArrayBuffer> {
  const image = new Uint8Array(512);
  const view = new DataView(image.buffer);
  view.setUint16(0, 0x37f, true);
  view.setUint32(24, 0x1f80, true);
  return image;
}

/** What a case left. */
export interface NativeAnswer extends ProcessorAnswer {
  /** x87, MMX and SSE, as FXSAVE stores them. */
  readonly image: Uint8Array<ArrayBuffer>;
  /** It raised #XM; MXCSR in the image is then as that left it. */
  readonly raised: boolean;
}

/** Runs a case, from an image of FXSAVE or as after reset. */
export type AskProcessor = (
  one: ProcessorCase,
  mode: 32 | 64,
  image?: Uint8Array,
) => NativeAnswer;

/** Maps the pages, writes the harness, and gives what runs a case. */
export function prepare(): AskProcessor {
  const libc = Deno.dlopen("libc.so.6", {
    sigaction: { parameters: ["i32", "buffer", "usize"], result: "i32" },
    sigaltstack: { parameters: ["buffer", "usize"], result: "i32" },
    mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  });
  const [readWriteRun, fixedPrivateAnonymous] = [7, 0x32];
  const pointer = libc.symbols.mmap(
    ...[BigInt(base), BigInt(pages), readWriteRun, fixedPrivateAnonymous, -1, 0n] as const,
  );
  if (pointer === null || Number(Deno.UnsafePointer.value(pointer)) !== base) {
    throw new Error("the pages cannot be mapped");
  }
  const memory = new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, pages));
  const view = new DataView(memory.buffer);
  for (const [at, bytes] of harness()) memory.set(bytes, at - base);
  const stack = BigUint64Array.of(BigInt(signalStackAt), 0n, BigInt(signalStackSize));
  // The handler, at 136 the flags: it takes a context, on a stack of its own.
  const action = new DataView(new ArrayBuffer(152));
  action.setBigUint64(0, BigInt(handlerAt), true);
  action.setUint32(136, 0x0800_0004, true);
  const sigfpe = 8;
  if (
    libc.symbols.sigaltstack(stack, 0n) !== 0 ||
    libc.symbols.sigaction(sigfpe, action.buffer, 0n) !== 0
  ) throw new Error("exceptions cannot be caught");
  const run = (mode: 32 | 64) => {
    const at = Deno.UnsafePointer.create(BigInt(harnessAt[mode]));
    if (at === null) throw new Error("no code");
    const definition = { parameters: [], result: "void" } as const;
    return new Deno.UnsafeFnPointer(at as Deno.PointerObject<typeof definition>, definition);
  };
  const runs = { 32: run(32), 64: run(64) };
  const reset = floatImage();
  return (one, mode, image = reset) => {
    memory.set(image, floatAt - base);
    memory.set(one.data, dataAt - base);
    memory.set(one.bytes, codeAt[mode] - base);
    const after = codeAt[mode] + one.bytes.length;
    memory.set(jump(after, endAt[mode]), after - base);
    one.registers.forEach((value, n) => view.setBigUint64(registersAt - base + 8 * n, value, true));
    view.setBigUint64(flagsAt - base, BigInt(one.flags), true);
    memory[jumpedAt - base] = 0;
    view.setUint32(raisedAt - base, 0, true);
    view.setUint32(endNowAt - base, endAt[mode], true);
    runs[mode].call();
    const registers = one.registers.map((_, n) => {
      const value = view.getBigUint64(outAt - base + 8 * n, true);
      return mode === 64 ? value : n < 8 ? value & 0xffff_ffffn : 0n;
    });
    const left = memory.slice(outFloatAt - base, outFloatAt - base + 512);
    const raised = view.getUint32(raisedAt - base, true);
    if (raised !== 0) new DataView(left.buffer).setUint32(24, raised, true);
    return {
      registers,
      flags: view.getUint16(outFlagsAt - base, true),
      jumped: memory[jumpedAt - base] === 1,
      data: memory.slice(dataAt - base, dataAt - base + dataSize),
      image: left,
      raised: raised !== 0,
    };
  };
}
