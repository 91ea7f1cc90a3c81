/**
 * Arithmetic, logic, shifts and bits on general registers and memory.
 *
 * Source: Intel SDM vol. 2, "Operation" and "Flags Affected" of each. Where the
 * manual leaves flags undefined, we do what Intel's processors were seen to do
 * (Ice Lake); each such place says so.
 *
 * @module
 */

import { AF, CF, type Emitter, OF, PF, type Semantics, SF, type Width, ZF } from "./emitter.ts";

/** A value of all zeros, as wide as another. */
function zeroOf<V>(e: Emitter<V>, like: V): V {
  return e.constant(0, e.width(like));
}

/** The highest bit, as a truth value. */
export function sign<V>(e: Emitter<V>, value: V): V {
  return e.less(value, zeroOf(e, value));
}

/** Bit `n` of a value, as a truth value. */
function bit<V>(e: Emitter<V>, value: V, n: V): V {
  return e.truncate(e.shr(value, n), 1);
}

/** The bit below the highest. */
function second<V>(e: Emitter<V>, value: V): V {
  return bit(e, value, e.constant(e.width(value) - 2, e.width(value)));
}

function logicFlags<V>(e: Emitter<V>, result: V): void {
  e.flagsOfResult(result);
  e.setFlag(CF, e.constant(0, 1));
  e.setFlag(OF, e.constant(0, 1));
  // AF is undefined; Intel's processors clear it.
  e.setFlag(AF, e.constant(0, 1));
  e.undefinedFlags(AF);
}

// Tour machine 020
//
// An instruction, described once. It does not compute: it tells an emitter what to
// compute. One emitter computes at once and is the referee; one writes the
// interpreter, one compiled code; one only notes what is touched.
const add: Semantics = (e) => {
  const a = e.update(0);
  const b = e.read(1);
  const sum = e.add(a, b);
  e.write(0, sum);
  e.flagsOfSum(a, b, sum);
};

const adc: Semantics = (e) => {
  const a = e.update(0);
  const b = e.read(1);
  const sum = e.add(e.add(a, b), e.zeroExtend(e.flag(CF), e.width(a)));
  e.write(0, sum);
  e.flagsOfSum(a, b, sum);
};

const sub: Semantics = (e) => {
  const a = e.update(0);
  const b = e.read(1);
  const difference = e.sub(a, b);
  e.write(0, difference);
  e.flagsOfDifference(a, b, difference);
};

const sbb: Semantics = (e) => {
  const a = e.update(0);
  const b = e.read(1);
  const difference = e.sub(e.sub(a, b), e.zeroExtend(e.flag(CF), e.width(a)));
  e.write(0, difference);
  e.flagsOfDifference(a, b, difference);
};

const cmp: Semantics = (e) => {
  const a = e.read(0);
  const b = e.read(1);
  e.flagsOfDifference(a, b, e.sub(a, b));
};

const inc: Semantics = (e) => {
  const a = e.update(0);
  const one = e.constant(1, e.width(a));
  const sum = e.add(a, one);
  e.write(0, sum);
  e.flagsOfSum(a, one, sum, CF);
};

const dec: Semantics = (e) => {
  const a = e.update(0);
  const one = e.constant(1, e.width(a));
  const difference = e.sub(a, one);
  e.write(0, difference);
  e.flagsOfDifference(a, one, difference, CF);
};

const neg: Semantics = (e) => {
  const a = e.update(0);
  const zero = zeroOf(e, a);
  const difference = e.sub(zero, a);
  e.write(0, difference);
  e.flagsOfDifference(zero, a, difference);
};

const not: Semantics = (e) => e.write(0, e.not(e.update(0)));

/** AND, OR, XOR. */
function logic(operation: "and" | "or" | "xor"): Semantics {
  return (e) => {
    const a = e.update(0);
    const result = e[operation](a, e.read(1));
    e.write(0, result);
    logicFlags(e, result);
  };
}

const test: Semantics = (e) => logicFlags(e, e.and(e.read(0), e.read(1)));

/** What MUL and one-operand IMUL do with rAX, rDX and the flags. */
function multiply(signed: boolean): Semantics {
  return (e) => {
    const b = e.read(0);
    const width = e.width(b);
    const a = e.register(0, width);
    const { low, high } = e.mulWide(a, b, signed);
    if (width === 8) {
      e.setRegister(
        0,
        e.or(e.zeroExtend(low, 16), e.shl(e.zeroExtend(high, 16), e.constant(8, 16))),
      );
    } else {
      e.setRegister(0, low);
      e.setRegister(2, high);
    }
    multiplyFlags(e, low, high, signed);
  };
}

/** CF and OF tell whether the high half matters. */
function multiplyFlags<V>(e: Emitter<V>, low: V, high: V, signed: boolean): void {
  const fill = signed ? e.sar(low, e.constant(e.width(low) - 1, e.width(low))) : zeroOf(e, low);
  const matters = e.not(e.equal(high, fill));
  // SF, PF, ZF and AF are undefined; Intel's processors set the first two by
  // the low half and clear the others.
  e.flagsOfResult(low);
  e.setFlag(ZF, e.constant(0, 1));
  e.setFlag(AF, e.constant(0, 1));
  e.undefinedFlags(SF | ZF | AF | PF);
  e.setFlag(CF, matters);
  e.setFlag(OF, matters);
}

/** IMUL with two or three operands: the last two are the factors. */
const imul: Semantics = (e) => {
  const first = e.form.operands.length - 2;
  const a = e.read(first);
  const b = e.read(first + 1);
  const { low, high } = e.mulWide(a, b, true);
  e.write(0, low);
  multiplyFlags(e, low, high, true);
};

/** DIV and IDIV. All flags are undefined; they stay as they were. */
function divide(signed: boolean): Semantics {
  return (e) => {
    const divisor = e.read(0);
    const width = e.width(divisor);
    if (width === 8) {
      const ax = e.register(0, 16);
      const high = e.truncate(e.shr(ax, e.constant(8, 16)), 8);
      const { low, high: remainder } = e.divWide(high, e.truncate(ax, 8), divisor, signed);
      const upper = e.shl(e.zeroExtend(remainder, 16), e.constant(8, 16));
      e.setRegister(0, e.or(e.zeroExtend(low, 16), upper));
    } else {
      const { low, high } = e.divWide(e.register(2, width), e.register(0, width), divisor, signed);
      e.setRegister(0, low);
      e.setRegister(2, high);
    }
    e.undefinedFlags(CF | OF | SF | ZF | AF | PF);
  };
}

/** A shift's count: modulo 32, or 64 for 64-bit operands, as wide as the operand. */
function shiftCount<V>(e: Emitter<V>, operand: number, width: Width): V {
  const limit = e.constant(width === 64 ? 63 : 31, 8);
  return resize(e, e.and(e.read(operand), limit), width);
}

function resize<V>(e: Emitter<V>, value: V, width: Width): V {
  return e.width(value) < width ? e.zeroExtend(value, width) : e.truncate(value, width);
}

/** SHL, SHR and SAR. A count of 0 changes no flag. */
function shift(operation: "shl" | "shr" | "sar"): Semantics {
  return (e) => {
    const a = e.update(0);
    const width = e.width(a);
    const count = shiftCount(e, 1, width);
    const result = e[operation](a, count);
    e.write(0, result);
    e.when(e.not(e.equal(count, zeroOf(e, count))), () => {
      const before = e.sub(count, e.constant(1, width));
      const last = e[operation](a, before);
      const out = operation === "shl" ? sign(e, last) : e.truncate(last, 1);
      e.flagsOfResult(result);
      e.setFlag(CF, out);
      // OF is defined for a count of 1, AF never. Intel's processors set OF by
      // the first step, whatever the count, and clear AF.
      const overflow = operation === "shl"
        ? e.xor(sign(e, a), second(e, a))
        : operation === "shr"
        ? sign(e, a)
        : e.constant(0, 1);
      e.setFlag(OF, overflow);
      e.setFlag(AF, e.constant(0, 1));
      e.undefinedFlags(AF | OF);
    });
  };
}

/** ROL and ROR: CF and OF change unless the count is 0. */
function rotate(left: boolean): Semantics {
  return (e) => {
    const a = e.update(0);
    const width = e.width(a);
    const masked = shiftCount(e, 1, width);
    const count = e.and(masked, e.constant(width - 1, width));
    const back = e.and(e.sub(zeroOf(e, count), count), e.constant(width - 1, width));
    const [one, other] = left ? [count, back] : [back, count];
    const result = e.or(e.shl(a, one), e.shr(a, other));
    e.write(0, result);
    e.when(e.not(e.equal(masked, zeroOf(e, masked))), () => {
      e.setFlag(CF, left ? e.truncate(result, 1) : sign(e, result));
      // OF is defined for a count of 1. For others Intel's processors set it by
      // the first step, unless the count is an immediate and the operand a register.
      const first = e.xor(sign(e, a), left ? second(e, a) : e.truncate(a, 1));
      const keeps = e.form.operands[1]?.kind === "I" && !e.i.isMemory;
      const one = e.equal(masked, e.constant(1, width));
      e.setFlag(OF, keeps ? e.select(one, first, e.flag(OF)) : first);
      e.undefinedFlags(OF);
    });
  };
}

/**
 * RCL and RCR rotate through CF, a register one bit wider; the count goes
 * modulo 9 and 17 for bytes and words.
 */
function rotateCarry(left: boolean): Semantics {
  return (e) => {
    const a = e.update(0);
    const width = e.width(a);
    const masked = e.and(e.read(1), e.constant(width === 64 ? 63 : 31, 8));
    const modulus = e.constant(width + 1, 8);
    // At most 31 for a byte: three times nine fit into it.
    let count = masked;
    for (let n = width === 8 ? 3 : width === 16 ? 1 : 0; n > 0; n--) {
      count = e.select(e.below(count, modulus), count, e.sub(count, modulus));
    }
    const n = resize(e, count, width);
    const one = e.constant(1, width);
    const wide = e.constant(width, width);
    const carry = e.zeroExtend(e.flag(CF), width);
    const isZero = e.equal(n, zeroOf(e, n));
    // The count is at most the width; where it is 1, the far part shifts out whole.
    const near = left ? e.shl(a, n) : e.shr(a, n);
    const middle = left ? e.shl(carry, e.sub(n, one)) : e.shl(carry, e.sub(wide, n));
    const distance = e.sub(e.add(wide, one), n);
    const far = left ? e.shr(a, distance) : e.shl(a, distance);
    const result = e.select(isZero, a, e.or(e.or(near, middle), far));
    e.write(0, result);
    e.when(e.not(e.equal(masked, e.constant(0, 8))), () => {
      const out = left ? e.sub(wide, n) : e.sub(n, one);
      const carried = e.select(isZero, e.flag(CF), bit(e, a, out));
      // OF is defined for a count of 1. For others Intel's processors set it by
      // the first step, if there is one.
      const first = e.xor(sign(e, a), left ? second(e, a) : e.flag(CF));
      e.setFlag(OF, e.select(isZero, e.flag(OF), first));
      e.setFlag(CF, carried);
      e.undefinedFlags(OF);
    });
  };
}

/** SHLD and SHRD. */
function doubleShift(left: boolean): Semantics {
  return (e) => {
    const a = e.update(0);
    const b = e.read(1);
    const width = e.width(a);
    const count = shiftCount(e, 2, width);
    const wide = e.constant(width, width);
    const one = e.constant(1, width);
    // Words can be shifted by more than their width, which is undefined: Intel's
    // processors go on with the first operand behind the second.
    const over = e.below(wide, count);
    const more = e.sub(count, wide);
    const join = (x: V, y: V, n: V): V =>
      left
        ? e.or(e.shl(x, n), e.shr(y, e.sub(wide, n)))
        : e.or(e.shr(x, n), e.shl(y, e.sub(wide, n)));
    type V = typeof a;
    const result = e.select(over, join(b, a, more), join(a, b, count));
    e.write(0, result);
    e.when(e.not(e.equal(count, zeroOf(e, count))), () => {
      const last = e.select(
        over,
        join(b, a, e.sub(more, one)),
        join(a, b, e.sub(count, one)),
      );
      const out = left ? sign(e, last) : e.truncate(last, 1);
      e.flagsOfResult(result);
      e.setFlag(CF, out);
      // OF is defined for a count of 1. Intel's processors set it by the first
      // step, whatever the count, and clear AF.
      e.setFlag(OF, e.xor(sign(e, a), left ? second(e, a) : e.truncate(b, 1)));
      e.setFlag(AF, e.constant(0, 1));
      e.undefinedFlags(AF | OF);
    });
  };
}

/** BT, BTS, BTR, BTC. Only CF is defined; the other flags stay as they were. */
function bitTest(operation: "or" | "clear" | "xor" | undefined): Semantics {
  return (e) => {
    const [operand] = e.form.operands;
    const inRegister = e.form.operands[1]?.kind === "G";
    const index = e.read(1);
    if (!e.i.isMemory || !inRegister || operand === undefined) {
      const a = operation === undefined ? e.read(0) : e.update(0);
      const width = e.width(a);
      const n = e.and(resize(e, index, width), e.constant(width - 1, width));
      if (operation !== undefined) e.write(0, changed(e, a, n, operation));
      e.setFlag(CF, bit(e, a, n));
    } else {
      // A register's number reaches any bit of memory, before and behind.
      const width = e.width(index);
      const address = e.address();
      const by = width === 64 ? 6 : width === 32 ? 5 : 4;
      const units = e.sar(index, e.constant(by, width));
      const bytes = e.shl(units, e.constant(by - 3, width));
      const wide = e.width(address);
      const offset = e.width(bytes) < wide ? e.signExtend(bytes, wide) : e.truncate(bytes, wide);
      const at = e.add(address, offset);
      const n = e.and(index, e.constant(width - 1, width));
      const a = operation === undefined
        ? e.load(e.i.segment, at, width)
        : e.loadForStore(e.i.segment, at, width);
      if (operation !== undefined) e.store(e.i.segment, at, changed(e, a, n, operation));
      e.setFlag(CF, bit(e, a, n));
    }
    e.undefinedFlags(OF | SF | AF | PF);
  };
}

function changed<V>(e: Emitter<V>, a: V, n: V, operation: "or" | "clear" | "xor"): V {
  const mask = e.shl(e.constant(1, e.width(a)), n);
  return operation === "clear" ? e.and(a, e.not(mask)) : e[operation](a, mask);
}

/** BSF and BSR: of zero, ZF is set and the destination stays as it was, all 64 bits of it. */
function bitScan(forward: boolean): Semantics {
  return (e) => {
    const a = e.read(1);
    const width = e.width(a);
    const zero = e.equal(a, zeroOf(e, a));
    const n = forward ? e.countTrailing(a) : e.sub(e.constant(width - 1, width), e.countLeading(a));
    e.when(e.not(zero), () => e.write(0, n));
    // All but ZF are undefined. Intel's processors set PF by the number found,
    // or zero, and clear the others.
    e.flagsOfResult(e.select(zero, zeroOf(e, a), n));
    for (const flag of [CF, OF, SF, AF]) e.setFlag(flag, e.constant(0, 1));
    e.setFlag(ZF, zero);
    e.undefinedFlags(CF | OF | SF | AF | PF);
  };
}

const popcnt: Semantics = (e) => {
  const a = e.read(1);
  e.write(0, e.countOnes(a));
  for (const flag of [CF, OF, SF, AF, PF]) e.setFlag(flag, e.constant(0, 1));
  e.setFlag(ZF, e.equal(a, zeroOf(e, a)));
};

/** TZCNT and LZCNT: CF for an operand of zero, ZF for a result of zero. */
function count(leading: boolean): Semantics {
  return (e) => {
    const a = e.read(1);
    const result = leading ? e.countLeading(a) : e.countTrailing(a);
    e.write(0, result);
    e.setFlag(CF, e.equal(a, zeroOf(e, a)));
    e.setFlag(ZF, e.equal(result, zeroOf(e, result)));
    // Undefined; Intel's processors clear them.
    for (const flag of [OF, SF, AF, PF]) e.setFlag(flag, e.constant(0, 1));
    e.undefinedFlags(OF | SF | AF | PF);
  };
}

const xadd: Semantics = (e) => {
  const a = e.update(0);
  const b = e.read(1);
  const sum = e.add(a, b);
  if (e.i.isMemory) {
    e.write(0, sum);
    e.write(1, a);
  } else {
    e.write(1, a);
    e.write(0, sum);
  }
  e.flagsOfSum(a, b, sum);
};

const cmpxchg: Semantics = (e) => {
  const a = e.update(0);
  const width = e.width(a);
  const accumulator = e.register(0, width);
  const same = e.equal(a, accumulator);
  // Memory is written in any case, with what it held if the comparison failed.
  if (e.i.isMemory) e.write(0, e.select(same, e.read(1), a));
  else e.when(same, () => e.write(0, e.read(1)));
  e.when(e.not(same), () => e.setRegister(0, a));
  e.flagsOfDifference(accumulator, a, e.sub(accumulator, a));
};

/** CMPXCHG8B and CMPXCHG16B: rDX:rAX against memory, rCX:rBX into it. */
const cmpxchg8b: Semantics = (e) => {
  const wide: Width = e.i.operandSize === 64 ? 64 : 32;
  const bytes = e.constant(wide / 8, e.i.addressSize as Width);
  const low = e.address();
  const high = e.add(low, bytes);
  if (wide === 64) e.requireAligned(e.i.segment, low, 16);
  const a = e.loadForStore(e.i.segment, low, wide);
  const b = e.loadForStore(e.i.segment, high, wide);
  const same = e.truncate(
    e.and(
      e.zeroExtend(e.equal(a, e.register(0, wide)), 8),
      e.zeroExtend(e.equal(b, e.register(2, wide)), 8),
    ),
    1,
  );
  e.store(e.i.segment, low, e.select(same, e.register(3, wide), a));
  e.store(e.i.segment, high, e.select(same, e.register(1, wide), b));
  e.when(e.not(same), () => {
    e.setRegister(0, a);
    e.setRegister(2, b);
  });
  e.setFlag(ZF, same);
};

/** ADCX and ADOX: an addition whose carry comes from and goes to one flag. */
function addWith(flag: number): Semantics {
  return (e) => {
    const a = e.read(0);
    const b = e.read(1);
    const carry = e.zeroExtend(e.flag(flag), e.width(a));
    const partial = e.add(a, b);
    const sum = e.add(partial, carry);
    e.write(0, sum);
    e.setFlag(flag, e.or(e.below(partial, a), e.below(sum, partial)));
  };
}

/** CRC32 of SSE4.2: the polynomial 0x11edc6f41, bits reflected. */
const crc32: Semantics = (e) => {
  let crc = e.truncate(e.read(0), 32);
  const data = e.read(1);
  const width = e.width(data);
  for (let at = 0; at < width; at += 8) {
    const byte = e.truncate(e.shr(data, e.constant(at, width)), 8);
    crc = e.xor(crc, e.zeroExtend(byte, 32));
    for (let n = 0; n < 8; n++) {
      const half = e.shr(crc, e.constant(1, 32));
      crc = e.select(e.truncate(crc, 1), e.xor(half, e.constant(0x82f63b78, 32)), half);
    }
  }
  const [destination] = [e.width(e.read(0))];
  e.write(0, destination === 64 ? e.zeroExtend(crc, 64) : crc);
};

/** What is described here, by mnemonic or by the name that a row has for it. */
export const arithmeticSemantics: Readonly<Record<string, Semantics>> = {
  ...{ add, adc, sub, sbb, cmp, inc, dec, neg, not, test },
  ...{ and: logic("and"), or: logic("or"), xor: logic("xor") },
  ...{ mul_ax: multiply(false), imul_ax: multiply(true), imul },
  ...{ div_ax: divide(false), idiv_ax: divide(true) },
  ...{ shl: shift("shl"), shr: shift("shr"), sar: shift("sar") },
  ...{ rol: rotate(true), ror: rotate(false), rcl: rotateCarry(true), rcr: rotateCarry(false) },
  ...{ shld: doubleShift(true), shrd: doubleShift(false) },
  ...{ bt: bitTest(undefined), bts: bitTest("or"), btr: bitTest("clear"), btc: bitTest("xor") },
  ...{ bsf: bitScan(true), bsr: bitScan(false), tzcnt: count(false), lzcnt: count(true), popcnt },
  ...{ xadd, cmpxchg, cmpxchg8b, cmpxchg16b: cmpxchg8b },
  ...{ adcx: addWith(CF), adox: addWith(OF), crc32 },
};
