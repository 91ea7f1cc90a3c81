/**
 * The opcode map of the floating point unit.
 *
 * Opcodes that the manual leaves out, but processors have had since the 8087,
 * are listed as what they do; they are second forms of documented ones.
 *
 * Source: Intel SDM vol. 2D, A.5.
 *
 * @module
 */

import { hex2, type Row, row } from "./row.ts";

/** D8, DC, DA, DE with memory, and D8 with a register. */
function arithmetic(): Row[] {
  const names = ["add", "mul", "com", "comp", "sub", "subr", "div", "divr"];
  return names.flatMap((name, n) => [
    row(`d8 /${n}`, `f${name} Md`),
    row(`d8 ${hex2(0xc0 + 8 * n)}+i`, `f${name} ${name.startsWith("com") ? "STi" : "ST, STi"}`),
    row(`da /${n}`, `fi${name} Md`),
    row(`dc /${n}`, `f${name} Mq`),
    row(`de /${n}`, `fi${name} Mw`),
  ]);
}

/** Opcodes of d9 that are a ModRM byte of their own. */
const singles: Readonly<Record<string, string>> = {
  ...{ d0: "fnop", e0: "fchs", e1: "fabs", e4: "ftst", e5: "fxam" },
  ...{
    e8: "fld1",
    e9: "fldl2t",
    ea: "fldl2e",
    eb: "fldpi",
    ec: "fldlg2",
    ed: "fldln2",
    ee: "fldz",
  },
  ...{ f0: "f2xm1", f1: "fyl2x", f2: "fptan", f3: "fpatan", f4: "fxtract", f5: "fprem1" },
  ...{ f6: "fdecstp", f7: "fincstp", f8: "fprem", f9: "fyl2xp1", fa: "fsqrt", fb: "fsincos" },
  ...{ fc: "frndint", fd: "fscale", fe: "fsin", ff: "fcos" },
};

/** Floating point instructions, by opcode. */
export function x87Rows(): Row[] {
  const cmov = { needs: "cmov" } as const;
  return [
    ...arithmetic(),
    row("d9 /0", "fld Md"),
    row("d9 /2", "fst Md"),
    row("d9 /3", "fstp Md"),
    row("d9 /4", "fldenv M"),
    row("d9 /5", "fldcw Mw"),
    row("d9 /6", "fnstenv M"),
    row("d9 /7", "fnstcw Mw"),
    row("d9 c0+i", "fld STi"),
    row("d9 c8+i", "fxch STi"),
    row("d9 d8+i", "fstp STi"),
    ...Object.entries(singles).map(([rm, name]) => row(`d9 ${rm}`, name)),
    row("da c0+i", "fcmovb ST, STi", cmov),
    row("da c8+i", "fcmove ST, STi", cmov),
    row("da d0+i", "fcmovbe ST, STi", cmov),
    row("da d8+i", "fcmovu ST, STi", cmov),
    row("da e9", "fucompp"),
    row("db /0", "fild Md"),
    row("db /1", "fisttp Md", { needs: "pni" }),
    row("db /2", "fist Md"),
    row("db /3", "fistp Md"),
    row("db /5", "fld Mt"),
    row("db /7", "fstp Mt"),
    row("db c0+i", "fcmovnb ST, STi", cmov),
    row("db c8+i", "fcmovne ST, STi", cmov),
    row("db d0+i", "fcmovnbe ST, STi", cmov),
    row("db d8+i", "fcmovnu ST, STi", cmov),
    // Three for the 8087 and the 80287, which do nothing since.
    row("db e0", "fneni"),
    row("db e1", "fndisi"),
    row("db e4", "fnsetpm"),
    row("db e2", "fnclex"),
    row("db e3", "fninit"),
    row("db e8+i", "fucomi ST, STi", cmov),
    row("db f0+i", "fcomi ST, STi", cmov),
    row("dc c0+i", "fadd STi, ST"),
    row("dc c8+i", "fmul STi, ST"),
    row("dc d0+i", "fcom STi"),
    row("dc d8+i", "fcomp STi"),
    row("dc e0+i", "fsubr STi, ST"),
    row("dc e8+i", "fsub STi, ST"),
    row("dc f0+i", "fdivr STi, ST"),
    row("dc f8+i", "fdiv STi, ST"),
    row("dd /0", "fld Mq"),
    row("dd /1", "fisttp Mq", { needs: "pni" }),
    row("dd /2", "fst Mq"),
    row("dd /3", "fstp Mq"),
    row("dd /4", "frstor M"),
    row("dd /6", "fnsave M"),
    row("dd /7", "fnstsw Mw"),
    row("dd c0+i", "ffree STi"),
    row("dd c8+i", "fxch STi"),
    row("dd d0+i", "fst STi"),
    row("dd d8+i", "fstp STi"),
    row("dd e0+i", "fucom STi"),
    row("dd e8+i", "fucomp STi"),
    row("de c0+i", "faddp STi, ST"),
    row("de c8+i", "fmulp STi, ST"),
    row("de d0+i", "fcomp STi"),
    row("de d9", "fcompp"),
    row("de e0+i", "fsubrp STi, ST"),
    row("de e8+i", "fsubp STi, ST"),
    row("de f0+i", "fdivrp STi, ST"),
    row("de f8+i", "fdivp STi, ST"),
    row("df /0", "fild Mw"),
    row("df /1", "fisttp Mw", { needs: "pni" }),
    row("df /2", "fist Mw"),
    row("df /3", "fistp Mw"),
    row("df /4", "fbld Mt"),
    row("df /5", "fild Mq"),
    row("df /6", "fbstp Mt"),
    row("df /7", "fistp Mq"),
    row("df c0+i", "ffreep STi"),
    row("df c8+i", "fxch STi"),
    row("df d0+i", "fstp STi"),
    row("df d8+i", "fstp STi"),
    row("df e0", "fnstsw AX"),
    row("df e8+i", "fucomip ST, STi", cmov),
    row("df f0+i", "fcomip ST, STi", cmov),
  ];
}
