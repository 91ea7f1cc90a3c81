/**
 * What other disassemblers make of instructions, kept so that tests need none of
 * them, and the differences of spelling that are no differences of opinion.
 *
 * @module
 */

import type { Mode } from "../emu/cpu/instruction.ts";
import { allCases } from "./instruction_cases.ts";
import { Decoder } from "../emu/cpu/decode.ts";

/** One instruction in a witness's words. */
export interface Witnessed {
  /** The bytes it was shown: an instruction and what follows. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** How many of them it took for the instruction. */
  readonly length: number;
  /** What it said. */
  readonly text: string;
}

/** Words that objdump puts before an instruction for prefixes that change nothing of it. */
const prefixWords = new RegExp(
  "^((data16|data32|addr16|addr32|addr64|cs|ds|es|ss|fs|gs|rex(\\.[WRXB]+)?" +
    "|repz|repnz|rep|lock|bnd|notrack|xacquire|xrelease) )+",
);

/** Spellings, each brought to one form that both sides share. */
const spellings: readonly (readonly [from: RegExp, to: string, why: string])[] = [
  [/\s+/g, " ", "objdump aligns columns"],
  [/ *#.*| *<.*>/g, "", "targets are shown in other words"],
  [prefixWords, "", "prefixes without meaning are told by objdump alone"],
  [/,p[nt]\b/, "", "hints of old to predict branches"],
  [/\[[er]iz\*\d([+-])/, "[$1", "no index is told as eiz or riz"],
  [/\+[er]iz\*\d/, "", "the same after a base"],
  [/\bds:\[/, "[", "DS is told where a prefix names it in vain"],
  [/[+-]0x0\]/, "]", "a displacement of zero is told where it is encoded"],
  [/^movabs/, "mov", "a name of its own for addresses and immediates of 64 bits"],
  [/(XMMWORD|OWORD|TBYTE|FWORD) PTR /, "", "words for sizes beyond eight bytes"],
  [
    /^([ls][gi]dt|wru?ss[dq]|invpcid|prefetch\w*|cldemote)[wd]? ([A-Z]+ PTR )?/,
    "$1 ",
    "no size at all",
  ],
  [/^(call|jmp) DWORD PTR /, "$1 ", "66 beside REX.W: which of them wins"],
  [/^(l[defgs]s \w+,)DWORD PTR /, "$1", "the same"],
  [
    /^(pushf?|popf?|pusha|popa|iret|retf?|call|jmp|sysret|sysexit|leave|enter|fn?save|xbegin)[wdq]\b/,
    "$1",
    "sizes of the stack",
  ],
  [/^(fldenv|fnstenv|frstor)[wd]\b/, "$1", "sizes of the environment"],
  [/^(pcmpestr[im])q/, "$1", "REX.W is told"],
  [/\((8087|287) only\)/, "", "a remark"],
  [/^(mov [c-gs]s|lar \w+|lsl \w+),[er](\w+?)[dw]?$/, "$1,$2", "sources of 16 bits told as wide"],
  [/^(mov [c-gs]s|lar \w+|lsl \w+),(\w+?)[dw]?$/, "$1,$2", "the same"],
  [/^(pextr[bw]|extractps|umwait|tpause) [er](\w\w)\b/, "$1 $2", "REX.W makes no difference"],
  [/^(pextr[bw]|extractps|umwait|tpause) (r\d+)d?\b/, "$1 $2", "the same"],
  [/^xchg (e?)ax,\1ax$/, "nop", "66 90"],
  [/^(movq2dq xmm\d+,)x?mm\d+$/, "$1", "with 66 before it"],
  [/^(movdq2q )x?mm\d+/, "$1", "the same"],
  [/^([rw]d?r?[fg]sbase) e?([a-z]\w)$/, "$1 $2", "the same"],
  [/^([rw]d?r?[fg]sbase) (r\d+)[dw]$/, "$1 $2", "the same"],
  [/^vmgexit$/, "vmmcall", "f2 or f3 before it is for SEV guests to see"],
  [/^bnd(ldx|stx|mov|cl|cu|cn|mk) .*/, "nop", "MPX is gone; without it these do nothing"],
  [/^prefetch(it\d)? .*/, "nop", "3DNow! is gone, code prefetch is new: these do nothing"],
  [/^nop .*/, "nop", "for the last two"],
];

/** Brings a text of ours or of objdump to the form that they share. */
export function common(text: string): string {
  let out = text.trim();
  for (const [from, to] of spellings) out = out.replace(from, to);
  // Relative to RIP, objdump tells negative displacements as unsigned.
  out = out.replace(/\[([er]ip)([+-])0x([0-9a-f]+)\]/, (_, base: string, sign, digits: string) => {
    const value = BigInt(`0x${digits}`);
    return `[${base}+${BigInt.asIntN(32, sign === "-" ? -value : value)}]`;
  }).replace(/\[([+-])(0x[0-9a-f]+)\]/, (_, sign, digits: string) => {
    return `ds:0x${
      BigInt.asUintN(32, sign === "-" ? -BigInt(digits) : BigInt(digits)).toString(16)
    }`;
  });
  // In 16-bit code objdump lets targets leave the segment.
  return out.replace(
    /^(j\w+|loop\w*|call|xbegin) (0x[0-9a-f]+)$/,
    (_, name, target: string) => `${name} 0x${BigInt.asUintN(16, BigInt(target)).toString(16)}`,
  );
}

/** Instructions on which the two are of different opinion, and which of them is right. */
export const disputed: readonly (readonly [ours: RegExp, theirs: RegExp, why: string])[] = [
  [
    /^(fstp|fcom|fcomp|fxch) st/,
    /bad/,
    "second forms of x87 instructions, undocumented but in every processor",
  ],
  [/./, /^(data16 )?rex[.WRXB]*$/, "objdump takes REX before FWAIT and before REX for itself"],
  [/^\(bad\)$/, /^([a-z]+ )*lock /, "LOCK before what may not have it"],
  [/^\(bad\)$/, /,\?$|^mov (cs|\?),/, "segment registers 6 and 7, and MOV to CS"],
  [/^salc$/, /bad/, "undocumented, but in every processor"],
  [/^[lms]fence$/, /bad/, "the low bits of the ModRM byte do not matter"],
  [/./, /^(data|addr|.s)(16|32)? (prefetch|bnd|\(bad)/, "the same behind a prefix"],
  [
    /^(vmmcall|encls|monitorx|mwaitx|rdpru|invlpgb|tlbsync|wbinvd)$/,
    /bad/,
    "the manuals do not say that 66 before it makes it undefined",
  ],
  [/^nop$/, /bad/, "register forms of prefetch and of MPX"],
  [/^lkgs /, /bad/, "newer than the witness"],
  [/^movsxd /, /^movsxd /, "66 beside REX.W: the operand size is 64, the source has 32 bits"],
  [/^\(bad\)$/, /^v|[kxyz]mm|^k|^\{|bad/, "AVX and AVX-512"],
  [/^\(bad\)$/, /mm\d,|^femms|^pf|^pi2f|^pswapd|^pavgusb|^pmulhrw/, "3DNow!"],
  [
    /^\(bad\)$/,
    /^(aes\w+kl|encodekey|loadiwkey|gf2p8|xstore|xcrypt|montmul|xsha|bnd|extrq|insertq|llwpcb|slwpcb|lwp|bl[cs]|tzmsk|t1mskc|bextr|aadd|aand|aor|axor|movnts[sd]|hreset|sysc|sysr|sha|clac|rdmsrlist|wrmsrlist|andn|pdep|pext|sarx|shlx|shrx|rorx|mulx|bzhi|tile|ldtilecfg|sttilecfg|td|cmp\w+xadd|lea|pop|jmpabs)/,
    "extensions that are not in the map",
  ],
];

/** Whether ours and theirs say the same, or differ where they may. */
export function agrees(ours: Witnessed, theirs: Witnessed): boolean {
  const [a, b] = [common(ours.text), common(theirs.text)];
  if (a === b) {
    return ours.length === theirs.length || /\(bad\)/.test(theirs.text);
  }
  return disputed.some(([mine, their]) =>
    mine.test(a) && (their.test(b) || their.test(theirs.text))
  );
}

/** A few cases of every form, and some random bytes, sixteen bytes each. */
export function shownToWitness(
  mode: Mode,
  each: number,
  random: number,
): Uint8Array<ArrayBuffer>[] {
  const shown: Uint8Array<ArrayBuffer>[] = [];
  const add = (bytes: Uint8Array) => {
    const slot = new Uint8Array(16).fill(0x90);
    slot.set(bytes);
    shown.push(slot);
  };
  const byForm = new Map<number, Uint8Array[]>();
  for (const { form, bytes } of allCases(mode, false)) {
    const list = byForm.get(form);
    if (list === undefined) byForm.set(form, [bytes]);
    else list.push(bytes);
  }
  for (const list of byForm.values()) {
    const step = Math.max(1, list.length / each);
    for (let n = 0; n < list.length; n += step) add(list[Math.floor(n)] ?? new Uint8Array());
  }
  let seed = 0x2545_f491 + mode;
  for (let n = 0; n < random; n++) {
    add(Uint8Array.from({ length: 16 }, () => {
      seed ^= seed << 13;
      seed ^= seed >>> 17;
      seed ^= seed << 5;
      return seed >>> 8 & 0xff;
    }));
    // What is no instruction may make the witness lose step; here it finds it again.
    add(new Uint8Array());
  }
  return shown;
}

/** Kept answers: a line each, bytes in hexadecimal, length, text. */
export async function readWitnessed(compressed: Uint8Array<ArrayBuffer>): Promise<Witnessed[]> {
  const stream = new Blob([compressed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const text = await new Response(stream).text();
  return text.trimEnd().split("\n").map((line) => {
    const [bytes = "", length = "", ...words] = line.split(" ");
    return { bytes: Uint8Array.fromHex(bytes), length: Number(length), text: words.join(" ") };
  });
}

/** The forms that code of a width can name at all. */
export function formsOf(mode: Mode): number[] {
  const decoder = new Decoder(mode);
  const absent = mode === 64 ? "i64" : "o64";
  return decoder.forms.flatMap((form, n) =>
    n > 0 && form.row.only !== absent && !(form.rexW && mode !== 64) ? [n] : []
  );
}
