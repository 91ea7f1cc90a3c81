/**
 * Where QEMU's TCG (7.2) does otherwise than the manual says, in programs of
 * system_cases.ts and system_cases64.ts; and what the manual wants there.
 *
 * @module
 */

/** What a program has to tell by the manual, in place of what QEMU tells. */
export interface Deviation {
  /** Its name, or what names of several begin with. */
  readonly name: RegExp;
  /** What the manual says. */
  readonly manual: string;
  /** Words that must be told; all else of the line is not looked at. */
  readonly tells: readonly string[];
}

const notCanonical = "an address that is not canonical is #GP(0) of the jump itself";
const bothSizes = "code with L and D set is #GP with its selector";
const gateError = "the error code is eight times the vector, and 2";
const noStack = "a stack that is not present is #SS with its selector";

/** Of 32-bit code. */
export const deviations32: readonly Deviation[] = [
  { name: /^call gate, inner stack that is not present$/, manual: noStack, tells: ["vector=c"] },
  { name: /^(retf|iretd) to stack not present$/, manual: noStack, tells: ["vector=c"] },
  {
    name: /^iretd at level 0 with flags 180002$/,
    manual: "IRETD at level 0 loads VIF and VIP",
    tells: ["flags=180002", "vector=3e"],
  },
  {
    name: /^lar, lsl, verr and verw at level 3 of 1b$/,
    manual: "IRET marks the descriptor of CS as used",
    tells: ["ecx=c0fb00"],
  },
  { name: /^ltr of 0$/, manual: "a null selector is #GP(0)", tells: ["vector=d", "tr=28"] },
];

/** Of 64-bit code. */
export const deviations64: readonly Deviation[] = [
  {
    name: /^far (jmp|call) to an address that is not canonical$/,
    manual: notCanonical,
    tells: ["vector=d", "rsp=8ea8"],
  },
  {
    name: /^(o64 retf|iretq) to an address that is not canonical$/,
    manual: notCanonical,
    tells: ["vector=d", "cs=8", "ss=10"],
  },
  { name: /^far (jmp|call) to code of 64 and 32 bits$/, manual: bothSizes, tells: ["vector=d"] },
  { name: /^(o64 retf|iretq) to code of both sizes$/, manual: bothSizes, tells: ["vector=d"] },
  {
    name: /^iretq to a null stack of another RPL$/,
    manual: "a null SS whose RPL is not the level is #GP(0)",
    tells: ["vector=d"],
  },
  {
    name: /^iretq at level 3 from the supervisor's stack$/,
    manual: "IRET reads its stack with the rights of its level",
    tells: ["vector=e", "cr2=8000"],
  },
  { name: /^int(3| 30h) at level 3$/, manual: gateError, tells: ["vector=d"] },
  {
    name: /^int 30h at level \d through a (gate of 16 bits|task gate)$/,
    manual: gateError,
    tells: ["vector=d", "182"],
  },
  {
    name: /^a push that is not canonical at level/,
    manual: "through rBP it is #SS(0)",
    tells: ["vector=c"],
  },
  { name: /^a jump that is not canonical at level/, manual: notCanonical, tells: ["vector=d"] },
  {
    name: /^int 30h at level 0 through a gate with interrupt stack/,
    manual: "SS becomes null if the level changes",
    tells: ["ss=10"],
  },
  {
    name: /^syscall$/,
    manual: "flags that SFMASK does not name stay, arithmetic's as well",
    tells: ["flags=2438d7"],
  },
  {
    name: /^lar and lsl of (88|98)$/,
    manual: "long mode knows no tasks of 16 bits and no task gates",
    tells: ["rcx=22222222", "rdx=33333333"],
  },
  {
    name: /^lldt of an LDT whose second half has a type$/,
    manual: "where the second half would have its type there is zero, or #GP with the selector",
    tells: ["vector=d", "90"],
  },
];
