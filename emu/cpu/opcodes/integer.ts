/**
 * The opcode map of general-purpose instructions: one-byte opcodes, and of the
 * two-byte ones those that programs use.
 *
 * Source: Intel SDM vol. 2, "Instruction Set Reference" and appendix A; rows
 * that only one maker documents say so.
 *
 * @module
 */

import { conditions, hex2, type Row, row } from "./row.ts";

const lock = { lock: true } as const;
const i64 = { only: "i64" } as const;
const o64 = { only: "o64" } as const;
const d64 = { size: "d64" } as const;
const jump = { size: "f64", ends: true } as const;

/** ADD to CMP: six forms at eight bytes' distance, and the group of 80 to 83. */
function arithmetic(): Row[] {
  return ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"].flatMap((name, n) => {
    const options = name === "cmp" ? {} : lock;
    return [
      row(`${hex2(8 * n)} /r`, `${name} Eb, Gb`, options),
      row(`${hex2(8 * n + 1)} /r`, `${name} Ev, Gv`, options),
      row(`${hex2(8 * n + 2)} /r`, `${name} Gb, Eb`),
      row(`${hex2(8 * n + 3)} /r`, `${name} Gv, Ev`),
      row(`${hex2(8 * n + 4)} ib`, `${name} AL, Ib`),
      row(`${hex2(8 * n + 5)} iz`, `${name} rAX, Iz`),
      row(`80 /${n} ib`, `${name} Eb, Ib`, options),
      row(`81 /${n} iz`, `${name} Ev, Iz`, options),
      row(`82 /${n} ib`, `${name} Eb, Ib`, { ...options, ...i64 }),
      row(`83 /${n} ib`, `${name} Ev, Ibs`, options),
    ];
  });
}

/** Rotates and shifts; /6 is a second SHL. */
function shifts(): Row[] {
  return ["rol", "ror", "rcl", "rcr", "shl", "shr", "shl", "sar"].flatMap((name, n) => [
    row(`c0 /${n} ib`, `${name} Eb, Ib`),
    row(`c1 /${n} ib`, `${name} Ev, Ib`),
    row(`d0 /${n}`, `${name} Eb, 1`),
    row(`d1 /${n}`, `${name} Ev, 1`),
    row(`d2 /${n}`, `${name} Eb, CL`),
    row(`d3 /${n}`, `${name} Ev, CL`),
  ]);
}

function conditional(): Row[] {
  return conditions.flatMap((name, n) => [
    row(`${hex2(0x70 + n)} cb`, `j${name} Jb`, { ...jump, as: "jcc" }),
    row(`0f ${hex2(0x80 + n)} cz`, `j${name} Jz`, { ...jump, as: "jcc" }),
    row(`0f ${hex2(0x90 + n)} /r`, `set${name} Eb`, { as: "setcc" }),
    row(`0f ${hex2(0x40 + n)} /r`, `cmov${name} Gv, Ev`, { as: "cmovcc", needs: "cmov" }),
  ]);
}

/** BT and its kin: the bit's number in a register, or in a byte. */
function bits(): Row[] {
  return ["bt", "bts", "btr", "btc"].flatMap((name, n) => {
    const options = name === "bt" ? {} : lock;
    return [
      row(`0f ${hex2(0xa3 + 8 * n)} /r`, `${name} Ev, Gv`, options),
      row(`0f ba /${4 + n} ib`, `${name} Ev, Ib`, options),
    ];
  });
}

/** General-purpose instructions, by opcode. */
export function integerRows(): Row[] {
  return [
    ...arithmetic(),
    row("06", "push ES", i64),
    row("07", "pop ES", { ...i64, as: "pop_seg" }),
    row("0e", "push CS", i64),
    row("16", "push SS", i64),
    row("17", "pop SS", { ...i64, as: "pop_seg", ends: true }),
    row("1e", "push DS", i64),
    row("1f", "pop DS", { ...i64, as: "pop_seg" }),
    row("27", "daa", i64),
    row("2f", "das", i64),
    row("37", "aaa", i64),
    row("3f", "aas", i64),
    row("40+r", "inc Zv", i64),
    row("48+r", "dec Zv", i64),
    row("50+r", "push Zv", d64),
    row("58+r", "pop Zv", d64),
    row("60", "pusha|pushad|pushad", i64),
    row("61", "popa|popad|popad", i64),
    row("62 /r", "bound Gv, Ma", i64),
    row("63 /r", "arpl Ew, Gw", { ...i64, protected: true }),
    row("63 /r", "movsxd Gv, Ez", o64),
    row("68 iz", "push Iz", d64),
    row("69 /r iz", "imul Gv, Ev, Iz"),
    row("6a ib", "push Ibs", d64),
    row("6b /r ib", "imul Gv, Ev, Ibs"),
    row("6c", "ins Yb, DX"),
    row("6d", "ins Yz, DX"),
    row("6e", "outs DX, Xb"),
    row("6f", "outs DX, Xz"),
    ...conditional(),
    row("84 /r", "test Eb, Gb"),
    row("85 /r", "test Ev, Gv"),
    row("86 /r", "xchg Eb, Gb", lock),
    row("87 /r", "xchg Ev, Gv", lock),
    row("88 /r", "mov Eb, Gb"),
    row("89 /r", "mov Ev, Gv"),
    row("8a /r", "mov Gb, Eb"),
    row("8b /r", "mov Gv, Ev"),
    // Segment registers 6 and 7 are none, and CS is not loaded by MOV.
    ...[0, 1, 2, 3, 4, 5].map((n) => row(`8c /${n}`, "mov Rv/Mw, Sw", { as: "mov_from_seg" })),
    row("8d /r", "lea Gv, M"),
    ...[0, 2, 3, 4, 5].map((n) =>
      row(`8e /${n}`, "mov Sw, Ew", { as: "mov_to_seg", ends: n === 2 })
    ),
    row("8f /0", "pop Ev", d64),
    row("90+r", "xchg Zv, rAX"),
    row("90", "nop", { rexB: "90+r" }),
    row("f3 90", "pause", { rexB: "90+r" }),
    row("98", "cbw|cwde|cdqe", { as: "cbw" }),
    row("99", "cwd|cdq|cqo", { as: "cwd" }),
    row("9a cp", "call Ap", { ...i64, as: "call_far", ends: true }),
    row("9b", "fwait"),
    row("9c", "pushf|pushfd|pushfq", { ...d64, as: "pushf" }),
    row("9d", "popf|popfd|popfq", { ...d64, as: "popf", ends: true }),
    row("9e", "sahf"),
    row("9f", "lahf"),
    row("a0", "mov AL, Ob"),
    row("a1", "mov rAX, Ov"),
    row("a2", "mov Ob, AL"),
    row("a3", "mov Ov, rAX"),
    row("a4", "movs Yb, Xb"),
    row("a5", "movs Yv, Xv"),
    row("a6", "cmps Xb, Yb"),
    row("a7", "cmps Xv, Yv"),
    row("a8 ib", "test AL, Ib"),
    row("a9 iz", "test rAX, Iz"),
    row("aa", "stos Yb, AL"),
    row("ab", "stos Yv, rAX"),
    row("ac", "lods AL, Xb"),
    row("ad", "lods rAX, Xv"),
    row("ae", "scas AL, Yb"),
    row("af", "scas rAX, Yv"),
    row("b0+r ib", "mov Zb, Ib"),
    row("b8+r iv", "mov Zv, Iv"),
    ...shifts(),
    row("c2 iw", "ret Iw", jump),
    row("c3", "ret", jump),
    row("c4 /r", "les Gv, Mp", i64),
    row("c5 /r", "lds Gv, Mp", i64),
    row("c6 /0 ib", "mov Eb, Ib"),
    row("c7 /0 iz", "mov Ev, Iz"),
    row("c6 f8 ib", "xabort Ib", { ends: true, needs: "rtm" }),
    row("c7 f8 cz", "xbegin Jz", { size: "d64", ends: true, needs: "rtm" }),
    row("c8 iw ib", "enter Iw, Ib", d64),
    row("c9", "leave", d64),
    row("ca iw", "retf Iw", { ends: true }),
    row("cb", "retf", { ends: true }),
    row("cc", "int3", { ends: true }),
    row("cd ib", "int Ib", { ends: true }),
    row("ce", "into", { ...i64, ends: true }),
    row("cf", "iret|iretd|iretq", { as: "iret", ends: true }),
    row("d4 ib", "aam Ib", i64),
    row("d5 ib", "aad Ib", i64),
    // SALC: the manual leaves it out, Intel's processors have had it since the 8086.
    row("d6", "salc", i64),
    row("d7", "xlat BBb"),
    row("e0 cb", "loopne Jb", jump),
    row("e1 cb", "loope Jb", jump),
    row("e2 cb", "loop Jb", jump),
    row("e3 cb", "jcxz|jecxz|jrcxz Jb", { ...jump, as: "jcxz" }),
    row("e4 ib", "in AL, Ib"),
    row("e5 ib", "in eAX, Ib"),
    row("e6 ib", "out Ib, AL"),
    row("e7 ib", "out Ib, eAX"),
    row("e8 cz", "call Jz", jump),
    row("e9 cz", "jmp Jz", jump),
    row("ea cp", "jmp Ap", { ...i64, as: "jmp_far", ends: true }),
    row("eb cb", "jmp Jb", jump),
    row("ec", "in AL, DX"),
    row("ed", "in eAX, DX"),
    row("ee", "out DX, AL"),
    row("ef", "out DX, eAX"),
    row("f1", "int1", { ends: true }),
    row("f4", "hlt", { ring: 0, ends: true }),
    row("f5", "cmc"),
    ...["/0", "/1"].flatMap((digit) => [
      row(`f6 ${digit} ib`, "test Eb, Ib"),
      row(`f7 ${digit} iz`, "test Ev, Iz"),
    ]),
    row("f6 /2", "not Eb", lock),
    row("f7 /2", "not Ev", lock),
    row("f6 /3", "neg Eb", lock),
    row("f7 /3", "neg Ev", lock),
    ...["mul", "imul", "div", "idiv"].flatMap((name, n) => [
      row(`f6 /${4 + n}`, `${name} Eb`, { as: `${name}_ax` }),
      row(`f7 /${4 + n}`, `${name} Ev`, { as: `${name}_ax` }),
    ]),
    row("f8", "clc"),
    row("f9", "stc"),
    row("fa", "cli", { ends: true }),
    row("fb", "sti", { ends: true }),
    row("fc", "cld"),
    row("fd", "std"),
    row("fe /0", "inc Eb", lock),
    row("fe /1", "dec Eb", lock),
    row("ff /0", "inc Ev", lock),
    row("ff /1", "dec Ev", lock),
    row("ff /2", "call Ev", jump),
    row("ff /3", "call Mp", { as: "call_far", ends: true }),
    row("ff /4", "jmp Ev", jump),
    row("ff /5", "jmp Mp", { as: "jmp_far", ends: true }),
    row("ff /6", "push Ev", d64),

    row("0f 0b", "ud2", { ends: true }),
    row("0f 0d /r", "nop Ev"),
    row("0f 0d /1", "prefetchw Mb"),
    row("0f 0d /2", "prefetchwt1 Mb"),
    ...["nta", "t0", "t1", "t2"].map((hint, n) =>
      row(`0f 18 /${n}`, `prefetch${hint} Mb`, { needs: "sse" })
    ),
    // Reserved for hints: what has no meaning yet does nothing.
    ...[0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f].map((op) =>
      row(`0f ${hex2(op)} /r`, "nop Ev")
    ),
    row("np 0f 1c /0", "cldemote Mb", { needs: "cldemote" }),
    row("f3 0f 1e fa", "endbr64"),
    row("f3 0f 1e fb", "endbr32"),
    row("f3 0f 1e /1 11b", "rdsspd|rdsspd|rdsspq Ry", { as: "rdssp", needs: "shstk" }),
    row("0f 31", "rdtsc", { needs: "tsc" }),
    row("0f a0", "push FS", d64),
    row("0f a1", "pop FS", { ...d64, as: "pop_seg" }),
    row("0f a2", "cpuid"),
    ...bits(),
    row("0f a4 /r ib", "shld Ev, Gv, Ib"),
    row("0f a5 /r", "shld Ev, Gv, CL"),
    row("0f a8", "push GS", d64),
    row("0f a9", "pop GS", { ...d64, as: "pop_seg" }),
    row("0f ac /r ib", "shrd Ev, Gv, Ib"),
    row("0f ad /r", "shrd Ev, Gv, CL"),
    row("0f af /r", "imul Gv, Ev"),
    row("0f b0 /r", "cmpxchg Eb, Gb", lock),
    row("0f b1 /r", "cmpxchg Ev, Gv", lock),
    row("0f b2 /r", "lss Gv, Mp", { ends: true }),
    row("0f b4 /r", "lfs Gv, Mp"),
    row("0f b5 /r", "lgs Gv, Mp"),
    row("0f b6 /r", "movzx Gv, Eb"),
    row("0f b7 /r", "movzx Gv, Ew"),
    row("f3 0f b8 /r", "popcnt Gv, Ev", { needs: "popcnt" }),
    row("0f b9 /r", "ud1 Gv, Ev", { ends: true }),
    row("0f bc /r", "bsf Gv, Ev"),
    row("f3 0f bc /r", "tzcnt Gv, Ev", { needs: "bmi1" }),
    row("0f bd /r", "bsr Gv, Ev"),
    row("f3 0f bd /r", "lzcnt Gv, Ev", { needs: "abm" }),
    row("0f be /r", "movsx Gv, Eb"),
    row("0f bf /r", "movsx Gv, Ew"),
    row("0f c0 /r", "xadd Eb, Gb", lock),
    row("0f c1 /r", "xadd Ev, Gv", lock),
    row("np 0f c3 /r", "movnti My, Gy", { needs: "sse2" }),
    row("0f c7 /1", "cmpxchg8b Mq", { ...lock, needs: "cx8" }),
    row("rex.w 0f c7 /1", "cmpxchg16b Mdq", { ...lock, needs: "cx16" }),
    row("nfx 0f c7 /6 11b", "rdrand Rv", { needs: "rdrand" }),
    row("nfx 0f c7 /7 11b", "rdseed Rv", { needs: "rdseed" }),
    row("f3 0f c7 /7 11b", "rdpid Ry", { size: "f64", needs: "rdpid" }),
    row("0f c8+r", "bswap Zv"),
    row("0f ff /r", "ud0 Gv, Ev", { ends: true }),
    row("nfx 0f 38 f0 /r", "movbe Gv, Mv", { needs: "movbe" }),
    row("nfx 0f 38 f1 /r", "movbe Mv, Gv", { needs: "movbe" }),
    row("f2 0f 38 f0 /r", "crc32 Gy, Eb", { needs: "sse4_2" }),
    row("f2 0f 38 f1 /r", "crc32 Gy, Ev", { needs: "sse4_2" }),
    row("66 0f 38 f6 /r", "adcx Gy, Ey", { needs: "adx" }),
    row("f3 0f 38 f6 /r", "adox Gy, Ey", { needs: "adx" }),
    row("66 0f 38 f8 /r", "movdir64b G, M", { needs: "movdir64b" }),
    row("np 0f 38 f9 /r", "movdiri My, Gy", { needs: "movdiri" }),
  ];
}
