/**
 * The sixteen conditions of Jcc, SETcc and CMOVcc.
 *
 * @module
 */

import { CF, type Emitter, OF, PF, SF, ZF } from "./emitter.ts";

/** Whether a condition holds; odd numbers are the opposites of those before. */
export function condition<V>(e: Emitter<V>, number: number): V {
  const known = e.condition?.(number);
  if (known !== undefined) return known;
  const holds = (): V => {
    switch (number >> 1) {
      case 0:
        return e.flag(OF);
      case 1:
        return e.flag(CF);
      case 2:
        return e.flag(ZF);
      case 3:
        return e.or(e.flag(CF), e.flag(ZF));
      case 4:
        return e.flag(SF);
      case 5:
        return e.flag(PF);
      case 6:
        return e.xor(e.flag(SF), e.flag(OF));
      default:
        return e.or(e.xor(e.flag(SF), e.flag(OF)), e.flag(ZF));
    }
  };
  return (number & 1) === 0 ? holds() : e.not(holds());
}
