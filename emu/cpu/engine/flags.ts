/**
 * Flags in generated code.
 *
 * The machine keeps the last result and a word of corrections (layout.ts:
 * FLAG_RESULT, FLAG_AUX) from which each flag is read off. While an instruction is
 * written, what it does to flags is only noted; at its end, and wherever control
 * may part, the notes become two stores.
 *
 * @module
 */

import * as at from "../layout.ts";
import { AF, CF, OF, PF, SF, ZF } from "../semantics/emitter.ts";
import { type Value, ValueWriter } from "./values.ts";

/** The carry of bit 31 and the carry into it: CF, and CF xor OF. */
const CARRIES = 0xc000_0000 | 0;
/** Corrections of SF and PF. */
const CORRECTIONS = 0xff01;

/** Writes what happens to flags. */
export abstract class FlagWriter extends ValueWriter {
  /** The result that ZF, SF and PF are read off, as i64, if this instruction has set it. */
  #result: Value | undefined;
  /** The word of corrections as of a sum or difference: carries of bits 31, 30 and 3. */
  #aux: Value | undefined;
  /** Flags set one by one, later than the two above. */
  #single = new Map<number, Value>();
  /** ZF is cleared though the result is zero. */
  #notZero = false;

  /** Pushes the last result, i64. */
  protected pushResult(): void {
    this.c.i32Const(0).i64Load(at.FLAG_RESULT);
  }
  /** Pushes the word of corrections. */
  protected pushAux(): void {
    this.c.i32Const(0).i32Load(at.FLAG_AUX);
  }
  /** Stores the result that `push` pushes. */
  protected storeResult(push: () => void): void {
    this.c.i32Const(0);
    push();
    this.c.i64Store(at.FLAG_RESULT);
  }
  /** Stores the word of corrections that `push` pushes. */
  protected storeAux(push: () => void): void {
    this.c.i32Const(0);
    push();
    this.c.i32Store(at.FLAG_AUX);
  }

  /** Both words are about to be stored, whatever they were. */
  protected replaceFlags(): void {}
  /** Stores a result whose CF, OF and AF are clear; false: as any other. */
  protected storeLogic(_result: Value): boolean {
    return false;
  }
  /** Forgets what was noted of the last result: it is kept in another way. */
  protected dropNotes(): void {
    this.#result = this.#aux = undefined;
    this.#notZero = false;
    this.#single.clear();
  }
  /** Whether something is noted that is not stored yet. */
  protected get hasNotes(): boolean {
    return this.#result !== undefined || this.#aux !== undefined || this.#single.size > 0;
  }

  /** The flag as it would be read now. */
  flag(flag: number): Value {
    const single = this.#single.get(flag);
    if (single !== undefined) return single;
    const { c } = this;
    const result = () =>
      this.#result === undefined ? this.pushResult() : void this.raw(this.#result);
    const aux = () => this.#aux === undefined ? this.pushAux() : void this.raw(this.#aux);
    const corrected = this.#result === undefined;
    switch (flag) {
      case ZF:
        if (this.#notZero) return this.constant(0, 1);
        result();
        c.i64Eqz();
        break;
      case SF:
        result();
        c.i64Const(63).i64ShrU().i32WrapI64();
        if (corrected) {
          aux();
          c.i32Const(1).i32And().i32Xor();
        }
        break;
      case PF:
        result();
        c.i32WrapI64();
        if (corrected) {
          aux();
          c.i32Const(8).i32ShrU().i32Xor();
        }
        c.i32Const(0xff).i32And().i32Popcnt().i32Const(1).i32And().i32Eqz();
        break;
      case CF:
        aux();
        c.i32Const(31).i32ShrU();
        break;
      case OF:
        aux();
        aux();
        c.i32Const(1).i32Shl().i32Xor().i32Const(31).i32ShrU();
        break;
      case AF:
        aux();
        c.i32Const(3).i32ShrU().i32Const(1).i32And();
        break;
      default:
        // DF and the others are where they are in EFLAGS.
        c.i32Const(0).i32Load(at.FLAGS_OTHER).i32Const(31 - Math.clz32(flag)).i32ShrU()
          .i32Const(1).i32And();
    }
    return this.keep(1);
  }

  setFlag(flag: number, value: Value): void {
    const { c } = this;
    if ((flag & (CF | PF | AF | ZF | SF | OF)) === 0) {
      c.i32Const(0);
      c.i32Const(0).i32Load(at.FLAGS_OTHER).i32Const(~flag).i32And();
      this.raw(value).i32Const(31 - Math.clz32(flag)).i32Shl().i32Or();
      c.i32Store(at.FLAGS_OTHER);
      return;
    }
    if (flag === ZF && value.local === undefined && value.low === 0 && this.#result !== undefined) {
      // Bit 8 of the result makes it no zero and leaves sign and parity.
      this.#notZero = true;
      return;
    }
    this.#single.set(flag, value);
  }

  flagsOfSum(a: Value, b: Value, sum: Value, keep = 0): void {
    this.#carries(a, b, sum, false, keep);
    this.flagsOfResult(sum);
  }

  flagsOfDifference(a: Value, b: Value, difference: Value, keep = 0): void {
    this.#carries(a, b, difference, true, keep);
    this.flagsOfResult(difference);
  }

  flagsOfResult(result: Value): void {
    // CF, OF and AF stay: where nobody set them, the word in memory still has them.
    this.#saveCarries();
    this.wideSigned(result);
    this.#result = this.keep(64);
    this.#notZero = false;
    for (const flag of [ZF, SF, PF]) this.#single.delete(flag);
  }

  undefinedFlags(_flags: number): void {}

  /** Stores what was noted. */
  flushFlags(): void {
    const single = this.#single;
    if (this.#result === undefined && this.#aux === undefined && single.size === 0) return;
    if ([ZF, SF, PF].some((flag) => single.has(flag))) this.#flushSingle();
    else {
      const [carry, overflow, adjust] = [single.get(CF), single.get(OF), single.get(AF)];
      const result = this.#result;
      const isLogic = result !== undefined && !this.#notZero &&
        [carry, overflow, adjust].every((value) => value !== undefined && this.known(value) === 0);
      const isKept = isLogic && this.storeLogic(result);
      if (isKept) {
        // It is kept in another way.
      } else if (carry !== undefined || overflow !== undefined || adjust !== undefined) {
        const pushCarries = () => this.#pushCarries();
        if (result === undefined) {
          // The corrections stay as they are.
          this.storeAux(() => {
            pushCarries();
            this.pushAux();
            this.c.i32Const(CORRECTIONS).i32And().i32Or();
          });
        } else {
          if ([carry, overflow, adjust].every((value) => value !== undefined)) this.replaceFlags();
          this.storeAux(pushCarries);
        }
      } else if (this.#aux !== undefined) {
        const aux = this.#aux;
        if (result !== undefined) this.replaceFlags();
        this.storeAux(() => void this.raw(aux));
      } else {
        this.storeAux(() => {
          this.pushAux();
          this.c.i32Const(CARRIES | 8).i32And();
        });
      }
      if (result !== undefined && !isKept) {
        this.storeResult(() => {
          this.raw(result);
          if (this.#notZero) this.c.i64Const(0x100).i64Or();
        });
      }
    }
    this.#result = this.#aux = undefined;
    this.#notZero = false;
    single.clear();
  }

  /** Pushes the word of carries made of the single flags, and of what was before for those that are none. */
  #pushCarries(): void {
    const { c } = this;
    const [carry, overflow, adjust] = [CF, OF, AF].map((flag) => this.flag(flag)) as [
      ...[Value, Value, Value],
    ];
    if ([carry, overflow, adjust].every((v) => v.local === undefined && v.low === 0)) {
      c.i32Const(0);
      return;
    }
    this.raw(carry).i32Const(31).i32Shl();
    this.raw(carry);
    this.raw(overflow).i32Xor().i32Const(30).i32Shl().i32Or();
    this.raw(adjust).i32Const(3).i32Shl().i32Or();
  }

  /** All six flags one by one, as `eflags` of processor.ts sets them. */
  #flushSingle(): void {
    const { c } = this;
    const [zero, sign, parity] = [ZF, SF, PF].map((flag) => this.flag(flag)) as [
      ...[Value, Value, Value],
    ];
    this.#pushCarries();
    this.raw(sign).i32Or();
    this.raw(parity).i32Eqz().i32Const(8).i32Shl().i32Or();
    const aux = this.keep(32);
    this.replaceFlags();
    this.storeResult(() => {
      c.i64Const(0).i64Const(0x100);
      this.raw(zero).select();
    });
    this.storeAux(() => void this.raw(aux));
  }

  /** Notes carries of a result that is followed by another one's ZF, SF and PF. */
  #saveCarries(): void {
    if (this.#single.size === 0 || this.#aux !== undefined) return;
    for (const flag of [CF, OF, AF]) {
      if (!this.#single.has(flag)) this.#single.set(flag, this.flag(flag));
    }
  }

  #carries(a: Value, b: Value, result: Value, isDifference: boolean, keep: number): void {
    const { c } = this;
    const { width } = a;
    const before = (keep & CF) !== 0 ? this.flag(CF) : undefined;
    // A sum carries where both have a bit, or one has it and the sum has lost it;
    // a difference where the sum that undoes it carries: a = difference + b.
    const [x, y, sum] = isDifference ? [result, b, a] : [a, b, result];
    this.raw(x);
    this.raw(y);
    if (width === 64) c.i64And();
    else c.i32And();
    this.raw(x);
    this.raw(y);
    if (width === 64) {
      c.i64Or();
      this.raw(sum).i64Const(-1).i64Xor().i64And().i64Or();
    } else {
      c.i32Or();
      this.raw(sum).i32Const(-1).i32Xor().i32And().i32Or();
    }
    const carries = this.keep(width, false);
    this.#pushTop(carries);
    const top = this.keep(32);
    if (before === undefined) {
      this.raw(top).i32Const(CARRIES).i32And();
    } else {
      // OF of the two carries; CF as it was.
      this.raw(before).i32Const(31).i32Shl();
      this.raw(top);
      this.raw(top).i32Const(1).i32Shl().i32Xor();
      this.raw(before).i32Const(31).i32Shl().i32Xor().i32Const(1).i32ShrU()
        .i32Const(0x4000_0000).i32And().i32Or();
    }
    this.narrow(carries).i32Const(8).i32And().i32Or();
    this.#aux = this.keep(32);
    for (const flag of [CF, OF, AF]) this.#single.delete(flag);
  }

  /** Pushes carries with the highest at bit 31. */
  #pushTop(carries: Value): void {
    const { c } = this;
    this.raw(carries);
    if (carries.width === 64) c.i64Const(32).i64ShrU().i32WrapI64();
    else if (carries.width < 32) c.i32Const(32 - carries.width).i32Shl();
  }
}
