/**
 * What x87 instructions do: each row of the opcode map's floating point part.
 *
 * An instruction checks that the unit is there, takes its operands, computes,
 * tells the exceptions, and only then stores and pops. Where an exception is not
 * masked it stops after telling; what memory faults stops it before.
 *
 * Source: Intel SDM vol. 1, chapter 8, and vol. 2.
 *
 * @module
 */

import type { Instruction } from "../instruction.ts";
import type { Processor, SystemSemantics } from "../processor.ts";
import {
  add,
  type Binary,
  compare,
  divide,
  divideReversed,
  extract,
  multiply,
  type Order,
  remainder,
  root,
  scale,
  subtract,
  subtractReversed,
  toWhole,
} from "./arithmetic.ts";
import {
  constantOf,
  fromDecimal,
  fromFloat,
  fromWhole,
  toDecimal,
  toFloat,
  toWholeBits,
} from "./convert.ts";
import {
  type Environment,
  type Extended,
  formats,
  kind,
  kindOf,
  oneOf,
  raised,
  rounding,
  zeroOf,
} from "./extended.ts";
import { loadBits, probeStore, storeBits } from "./operands.ts";
import {
  clearC1,
  environmentOf,
  free,
  isEmpty,
  overflow,
  pop,
  push,
  remember,
  rotate,
  setC1,
  setConditions,
  setStackRegister,
  settle,
  stackRegister,
  statusBits,
  statusOf,
  underflow,
  x87Available,
  x87Present,
  x87Wait,
} from "./registers.ts";
import {
  arctangent,
  cosine,
  logarithm,
  logarithmPlusOne,
  powerLessOne,
  sine,
  tangent,
} from "./transcendental.ts";

const { SF, C0, C1, C2, C3 } = statusBits;

/** Where memory operands are whole numbers, floating point or decimal. */
type Family = "float" | "whole";

/** How many bits the memory operand of an opcode has. */
function bitsOf(i: Instruction, family: Family): 16 | 32 | 64 {
  if (family === "float") return i.opcode === 0xd8 || i.opcode === 0xd9 ? 32 : 64;
  if (i.opcode === 0xda || i.opcode === 0xdb) return 32;
  // DD is FISTTP of 64 bits; DF /5 and /7 are 64 bits, its others 16.
  return i.opcode === 0xdd || i.opcode === 0xdf && (i.reg & 7) >= 5 ? 64 : 16;
}

/** The memory operand as a number. */
function operand(cpu: Processor, i: Instruction, env: Environment, family: Family): Extended {
  const bits = bitsOf(i, family);
  const value = loadBits(cpu, i, bits >> 3);
  if (family === "whole") return fromWhole(BigInt.asIntN(bits, value));
  return fromFloat(env, value, bits === 32 ? formats.single : formats.double);
}

/** The four operations, on the stack or with memory. */
function binary(operation: Binary, family: Family = "float", pops = false): SystemSemantics {
  return (cpu, i) => {
    x87Available(cpu);
    const env = environmentOf(cpu);
    const other = i.isMemory ? operand(cpu, i, env, family) : undefined;
    const [to, from] = i.isMemory || i.opcode === 0xd8 ? [0, i.rm & 7] : [i.rm & 7, 0];
    remember(cpu);
    const misses = isEmpty(cpu, to) || other === undefined && isEmpty(cpu, from);
    const result = misses
      ? underflow(env)
      : operation(env, stackRegister(cpu, to), other ?? stackRegister(cpu, from));
    if (!settle(cpu, i, env)) return;
    setStackRegister(cpu, to, result);
    if (pops) pop(cpu);
  };
}

/** One operand, ST(0), replaced by the result. */
function unary(operation: (env: Environment, a: Extended) => Extended): SystemSemantics {
  return (cpu, i) => {
    x87Available(cpu);
    const env = environmentOf(cpu);
    remember(cpu);
    const result = isEmpty(cpu, 0) ? underflow(env) : operation(env, stackRegister(cpu, 0));
    if (settle(cpu, i, env)) setStackRegister(cpu, 0, result);
  };
}

/** ST(1) becomes the result of both, and ST(0) is popped. */
function onto(operation: Binary): SystemSemantics {
  return (cpu, i) => {
    x87Available(cpu);
    const env = environmentOf(cpu);
    remember(cpu);
    const result = isEmpty(cpu, 0) || isEmpty(cpu, 1)
      ? underflow(env)
      : operation(env, stackRegister(cpu, 0), stackRegister(cpu, 1));
    if (!settle(cpu, i, env)) return;
    setStackRegister(cpu, 1, result);
    pop(cpu);
  };
}

const orderConditions: Readonly<Record<Order, number>> = {
  greater: 0,
  less: C0,
  equal: C3,
  unordered: C0 | C2 | C3,
};
/** The same in the flags: CF, ZF, PF. */
const orderFlags: Readonly<Record<Order, number>> = {
  greater: 0,
  less: 1,
  equal: 0x40,
  unordered: 0x45,
};

/** How comparisons differ. */
interface Comparison {
  /** Memory operands are. */
  readonly family?: Family;
  /** Quiet NaNs raise nothing. */
  readonly quiet?: boolean;
  /** How many registers are popped. */
  readonly pops?: number;
  /** The result goes to EFLAGS. */
  readonly flags?: boolean;
  /** ST(0) is compared with zero. */
  readonly zero?: boolean;
}

/** Comparisons. */
function comparison(
  { family = "float", quiet = false, pops = 0, flags = false, zero = false }: Comparison,
): SystemSemantics {
  return (cpu, i) => {
    x87Available(cpu);
    const env = environmentOf(cpu);
    const other = zero ? zeroOf(0) : i.isMemory ? operand(cpu, i, env, family) : undefined;
    remember(cpu);
    const with_ = pops === 2 ? 1 : i.rm & 7;
    let order: Order = "unordered";
    if (isEmpty(cpu, 0) || other === undefined && isEmpty(cpu, with_)) underflow(env);
    else {
      order = compare(env, stackRegister(cpu, 0), other ?? stackRegister(cpu, with_), quiet);
    }
    // What compares to EFLAGS leaves C1, unless the stack is at fault.
    const kept = flags && (env.flags & SF) === 0 ? statusOf(cpu) & C1 : 0;
    const isDone = settle(cpu, i, env);
    // Told in any case; what waits unmasked only keeps from popping.
    if (flags) {
      cpu.eflags = cpu.eflags & ~0x8d5 | orderFlags[order];
      if (kept !== 0) setC1(cpu);
    } else setConditions(cpu, orderConditions[order]);
    if (!isDone) return;
    for (let n = 0; n < pops; n++) pop(cpu);
  };
}

/** Pushes what is found, if there is room. */
function pushing(find: (cpu: Processor, i: Instruction, env: Environment) => Extended) {
  return (cpu: Processor, i: Instruction): void => {
    x87Available(cpu);
    const env = environmentOf(cpu);
    const found = find(cpu, i, env);
    remember(cpu);
    // Of both faults of the stack the register that is missing counts.
    const value = isEmpty(cpu, 7) || (env.flags & SF) !== 0 ? found : overflow(env);
    // A denormal is loaded even where its exception is not masked.
    if (settle(cpu, i, env, raised.IE)) push(cpu, value);
  };
}

/** FLD: from memory of 32, 64 and 80 bits, or another register. */
const load = pushing((cpu, i, env) => {
  if (!i.isMemory) {
    return isEmpty(cpu, i.rm & 7) ? underflow(env) : stackRegister(cpu, i.rm & 7);
  }
  if (i.opcode === 0xdb) {
    const image = loadBits(cpu, i, 10);
    const high = Number(image >> 64n);
    return {
      sign: high >> 15,
      exponent: high & 0x7fff,
      significand: BigInt.asUintN(64, image),
    };
  }
  const bits = bitsOf(i, "float");
  const format = bits === 32 ? formats.single : formats.double;
  return loaded(env, fromFloat(env, loadBits(cpu, i, bits >> 3), format));
});

/** A number loaded from 32 or 64 bits: a NaN is made quiet, a denormal told. */
function loaded(env: Environment, value: Extended): Extended {
  if (env.denormal) env.flags |= raised.DE;
  if (kindOf(value) !== kind.signalling) return value;
  env.flags |= raised.IE;
  return { ...value, significand: value.significand | 1n << 62n };
}

/** Bytes that all exceptions but precision keep from being stored. */
const untilStored = 0x1f;

/** Stores ST(0) to memory, as the conversion says. */
function storing(
  bytesOf: (i: Instruction) => number,
  convert: (env: Environment, value: Extended, i: Instruction) => bigint,
  nothing: (i: Instruction) => bigint,
  pops: boolean,
) {
  return (cpu: Processor, i: Instruction): void => {
    x87Available(cpu);
    const env = environmentOf(cpu);
    const bytes = bytesOf(i);
    probeStore(cpu, i, bytes);
    remember(cpu);
    let value: bigint;
    if (isEmpty(cpu, 0)) {
      underflow(env);
      value = nothing(i);
    } else value = convert(env, stackRegister(cpu, 0), i);
    if (!settle(cpu, i, env, untilStored)) return;
    storeBits(cpu, i, bytes, value);
    if (pops) pop(cpu);
  };
}

const indefiniteSingle = 0xffc00000n;
const indefiniteDouble = 0xfff8000000000000n;
const indefiniteExtended = 0xffffc000000000000000n;

const floatBytes = (i: Instruction) => bitsOf(i, "float") >> 3;
const toFloatMemory = (pops: boolean) =>
  storing(
    floatBytes,
    (env, value, i) => toFloat(env, value, i.opcode === 0xd9 ? formats.single : formats.double),
    (i) => i.opcode === 0xd9 ? indefiniteSingle : indefiniteDouble,
    pops,
  );
const toExtendedMemory = storing(
  () => 10,
  (_, { sign, exponent, significand }) => BigInt(sign << 15 | exponent) << 64n | significand,
  () => indefiniteExtended,
  true,
);

/** FST and FSTP. */
function store(pops: boolean): SystemSemantics {
  const toMemory = toFloatMemory(pops);
  return (cpu, i) => {
    if (i.isMemory) {
      if (i.opcode === 0xdb) toExtendedMemory(cpu, i);
      else toMemory(cpu, i);
      return;
    }
    x87Available(cpu);
    const env = environmentOf(cpu);
    remember(cpu);
    if (i.opcode === 0xd9 && isEmpty(cpu, 0)) {
      // This one of FSTP's four opcodes, which no manual lists, finds no fault with that.
      clearC1(cpu);
      pop(cpu);
      return;
    }
    const value = isEmpty(cpu, 0) ? underflow(env) : stackRegister(cpu, 0);
    if (!settle(cpu, i, env)) return;
    setStackRegister(cpu, i.rm & 7, value);
    if (pops) pop(cpu);
  };
}

/** FIST, FISTP and FISTTP. */
function storeWhole(pops: boolean, chops = false): SystemSemantics {
  return storing(
    (i) => bitsOf(i, "whole") >> 3,
    (env, value, i) => {
      const mode = chops ? rounding.chop : env.rounding;
      return toWholeBits(env, value, bitsOf(i, "whole"), mode);
    },
    (i) => 1n << BigInt(bitsOf(i, "whole") - 1),
    pops,
  );
}

/** FXCH: an empty register counts as the indefinite NaN. */
const exchange: SystemSemantics = (cpu, i) => {
  x87Available(cpu);
  const env = environmentOf(cpu);
  const other = i.rm & 7;
  remember(cpu);
  const value = (n: number) => isEmpty(cpu, n) ? underflow(env) : stackRegister(cpu, n);
  const [first, second] = [value(0), value(other)];
  if (!settle(cpu, i, env)) return;
  setStackRegister(cpu, 0, second);
  setStackRegister(cpu, other, first);
};

/** FCMOVcc. */
function conditionalMove(holds: (flags: number) => boolean): SystemSemantics {
  return (cpu, i) => {
    x87Available(cpu);
    const env = environmentOf(cpu);
    const other = i.rm & 7;
    remember(cpu);
    if (isEmpty(cpu, 0) || isEmpty(cpu, other)) {
      const value = underflow(env);
      if (settle(cpu, i, env)) setStackRegister(cpu, 0, value);
      return;
    }
    if (holds(cpu.eflags)) setStackRegister(cpu, 0, stackRegister(cpu, other));
  };
}

/** FPREM and FPREM1. */
function partialRemainder(nearest: boolean): SystemSemantics {
  return (cpu, i) => {
    x87Available(cpu);
    const env = environmentOf(cpu);
    remember(cpu);
    setC2(cpu, false);
    if (isEmpty(cpu, 0) || isEmpty(cpu, 1)) {
      const value = underflow(env);
      if (settle(cpu, i, env)) setStackRegister(cpu, 0, value);
      return;
    }
    const found = remainder(env, stackRegister(cpu, 0), stackRegister(cpu, 1), nearest);
    const { value, quotient } = found;
    env.up = ((quotient ?? 0) & 1) !== 0;
    if (!settle(cpu, i, env)) return;
    setStackRegister(cpu, 0, value);
    // Without a quotient C0 and C3 stay.
    if (quotient === undefined) return;
    const bits = ((quotient & 4) !== 0 ? C0 : 0) | ((quotient & 2) !== 0 ? C3 : 0);
    setConditions(cpu, bits | (found.isPartial ? C2 : 0));
  };
}

/** FXTRACT: the exponent replaces the number, the significand is pushed. */
const extractBoth: SystemSemantics = (cpu, i) => {
  x87Available(cpu);
  const env = environmentOf(cpu);
  remember(cpu);
  let both: [Extended, Extended];
  if (isEmpty(cpu, 0)) both = [underflow(env), underflow(env)];
  else if (!isEmpty(cpu, 7)) both = [overflow(env), overflow(env)];
  else both = extract(env, stackRegister(cpu, 0));
  if (!settle(cpu, i, env)) return;
  setStackRegister(cpu, 0, both[0]);
  push(cpu, both[1]);
};

/** FXAM: tells the kind of ST(0), empty or not. */
const examine: SystemSemantics = (cpu) => {
  x87Available(cpu);
  remember(cpu);
  const value = stackRegister(cpu, 0);
  const which = kindOf(value);
  const isNaN = which === kind.quiet || which === kind.signalling;
  let bits = 0;
  if (isEmpty(cpu, 0)) bits = C3 | C0;
  else if (isNaN) bits = C0;
  else if (which === kind.normal) bits = C2;
  else if (which === kind.infinity) bits = C2 | C0;
  else if (which === kind.zero) bits = C3;
  else if (which === kind.denormal) bits = C3 | C2;
  clearC1(cpu);
  setConditions(cpu, bits | (value.sign === 1 ? C1 : 0));
};

/** Sine and cosine: C2 says that the operand is too large. */
function circular(
  operation: (env: Environment, a: Extended) => Extended | undefined,
): SystemSemantics {
  return (cpu, i) => {
    x87Available(cpu);
    const env = environmentOf(cpu);
    remember(cpu);
    const result = isEmpty(cpu, 0) ? underflow(env) : operation(env, stackRegister(cpu, 0));
    setC2(cpu, result === undefined);
    if (!settle(cpu, i, env)) return;
    if (result !== undefined) setStackRegister(cpu, 0, result);
  };
}

/** FSINCOS and FPTAN: the result replaces the operand and another is pushed. */
function circularPair(
  operation: (env: Environment, a: Extended) => [Extended, Extended] | undefined,
): SystemSemantics {
  return (cpu, i) => {
    x87Available(cpu);
    const env = environmentOf(cpu);
    remember(cpu);
    let both: [Extended, Extended] | undefined;
    if (isEmpty(cpu, 0)) both = [underflow(env), underflow(env)];
    else if (!isEmpty(cpu, 7)) both = [overflow(env), overflow(env)];
    else both = operation(env, stackRegister(cpu, 0));
    setC2(cpu, both === undefined);
    if (!settle(cpu, i, env)) return;
    if (both === undefined) return;
    setStackRegister(cpu, 0, both[0]);
    push(cpu, both[1]);
  };
}

function setC2(cpu: Processor, is: boolean): void {
  setConditions(cpu, statusOf(cpu) & (C0 | C3) | (is ? C2 : 0));
}

const sineCosine = circularPair((env, a) => {
  const other = { ...env };
  const found = sine(env, a);
  const second = cosine(other, a);
  if (found === undefined || second === undefined) return undefined;
  env.flags |= other.flags;
  env.up = other.up;
  return [found, second];
});

const tangentPair = circularPair((env, a) => {
  const found = tangent(env, a);
  if (found === undefined) return undefined;
  const isNaN = kindOf(found) === kind.quiet;
  return [found, isNaN ? found : oneOf(0)];
});

/** Turns the stack without moving anything. */
function turning(by: number): SystemSemantics {
  return (cpu) => {
    x87Available(cpu);
    remember(cpu);
    rotate(cpu, by);
    clearC1(cpu);
  };
}

/** FFREE, and FFREEP, which pops besides. */
function freeing(pops: boolean): SystemSemantics {
  return (cpu, i) => {
    x87Available(cpu);
    remember(cpu);
    free(cpu, i.rm & 7);
    clearC1(cpu);
    if (pops) pop(cpu);
  };
}

const signChange = (change: (sign: number) => number): SystemSemantics =>
  unary((_, a) => ({ ...a, sign: change(a.sign) }));

/** FSCALE: ST(0) by ST(1), which stays. */
const scaling: SystemSemantics = (cpu, i) => {
  x87Available(cpu);
  const env = environmentOf(cpu);
  remember(cpu);
  const result = isEmpty(cpu, 0) || isEmpty(cpu, 1)
    ? underflow(env)
    : scale(env, stackRegister(cpu, 0), stackRegister(cpu, 1));
  if (settle(cpu, i, env)) setStackRegister(cpu, 0, result);
};

const constants = ["fld1", "fldl2t", "fldl2e", "fldpi", "fldlg2", "fldln2", "fldz"];
const nothing: SystemSemantics = (cpu) => x87Present(cpu);

/** What each instruction does, whatever its operands. */
export const plainSemantics: Readonly<Record<string, SystemSemantics>> = {
  fadd: binary(add),
  fsub: binary(subtract),
  fsubr: binary(subtractReversed),
  fmul: binary(multiply),
  fdiv: binary(divide),
  fdivr: binary(divideReversed),
  faddp: binary(add, "float", true),
  fsubp: binary(subtract, "float", true),
  fsubrp: binary(subtractReversed, "float", true),
  fmulp: binary(multiply, "float", true),
  fdivp: binary(divide, "float", true),
  fdivrp: binary(divideReversed, "float", true),
  fiadd: binary(add, "whole"),
  fisub: binary(subtract, "whole"),
  fisubr: binary(subtractReversed, "whole"),
  fimul: binary(multiply, "whole"),
  fidiv: binary(divide, "whole"),
  fidivr: binary(divideReversed, "whole"),
  fsqrt: unary(root),
  fscale: scaling,
  frndint: unary(toWhole),
  fprem: partialRemainder(false),
  fprem1: partialRemainder(true),
  fxtract: extractBoth,
  fchs: signChange((sign) => sign ^ 1),
  fabs: signChange(() => 0),

  fcom: comparison({}),
  fcomp: comparison({ pops: 1 }),
  fcompp: comparison({ pops: 2 }),
  fucom: comparison({ quiet: true }),
  fucomp: comparison({ quiet: true, pops: 1 }),
  fucompp: comparison({ quiet: true, pops: 2 }),
  ficom: comparison({ family: "whole" }),
  ficomp: comparison({ family: "whole", pops: 1 }),
  fcomi: comparison({ flags: true }),
  fcomip: comparison({ flags: true, pops: 1 }),
  fucomi: comparison({ quiet: true, flags: true }),
  fucomip: comparison({ quiet: true, flags: true, pops: 1 }),
  ftst: comparison({ zero: true }),
  fxam: examine,

  fld: load,
  fild: pushing((cpu, i, env) => operand(cpu, i, env, "whole")),
  fbld: pushing((cpu, i) => fromDecimal(loadBits(cpu, i, 10))),
  ...Object.fromEntries(constants.map((name) => [
    name,
    pushing((_cpu, _i, env) => constantOf(name, env.rounding)),
  ])),
  fst: store(false),
  fstp: store(true),
  fist: storeWhole(false),
  fistp: storeWhole(true),
  fisttp: storeWhole(true, true),
  fbstp: storing(() => 10, toDecimal, () => indefiniteExtended, true),
  fxch: exchange,
  fcmovb: conditionalMove((flags) => (flags & 1) !== 0),
  fcmove: conditionalMove((flags) => (flags & 0x40) !== 0),
  fcmovbe: conditionalMove((flags) => (flags & 0x41) !== 0),
  fcmovu: conditionalMove((flags) => (flags & 4) !== 0),
  fcmovnb: conditionalMove((flags) => (flags & 1) === 0),
  fcmovne: conditionalMove((flags) => (flags & 0x40) === 0),
  fcmovnbe: conditionalMove((flags) => (flags & 0x41) === 0),
  fcmovnu: conditionalMove((flags) => (flags & 4) === 0),

  f2xm1: unary(powerLessOne),
  fyl2x: onto(logarithm),
  fyl2xp1: onto(logarithmPlusOne),
  fpatan: onto(arctangent),
  fsin: circular(sine),
  fcos: circular(cosine),
  fsincos: sineCosine,
  fptan: tangentPair,

  fincstp: turning(1),
  fdecstp: turning(-1),
  ffree: freeing(false),
  ffreep: freeing(true),
  fnop: (cpu) => {
    x87Available(cpu);
    remember(cpu);
  },
  fwait: x87Wait,
  fneni: nothing,
  fndisi: nothing,
  fnsetpm: nothing,
};
