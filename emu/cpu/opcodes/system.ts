/**
 * The opcode map of system instructions: those that serve an operating system,
 * a hypervisor or a protected environment, and the saving of extended state.
 *
 * Source: Intel SDM vol. 2 and vol. 3C; AMD APM vol. 3 for AMD's own.
 *
 * @module
 */

import { hex2, type Row, row } from "./row.ts";

const ring0 = { ring: 0 } as const;
const state = { ring: 0, ends: true } as const;
const o64 = { only: "o64" } as const;
const f64 = { size: "f64" } as const;
const pm = { protected: true } as const;

/** Instructions of group 0f 01 that are a ModRM byte of their own, by feature. */
const singles: readonly (readonly [opcode: string, mnemonic: string, needs: string])[] = [
  ["0f 01 c0", "enclv", "sgx"],
  ["0f 01 c2", "vmlaunch", "vmx"],
  ["0f 01 c3", "vmresume", "vmx"],
  ["0f 01 c4", "vmxoff", "vmx"],
  ["0f 01 c5", "pconfig", "pconfig"],
  ["np 0f 01 c6", "wrmsrns", "wrmsrns"],
  ["0f 01 c8", "monitor", "monitor"],
  ["0f 01 c9", "mwait", "monitor"],
  ["0f 01 ca", "clac", "smap"],
  ["0f 01 cb", "stac", "smap"],
  ["0f 01 cf", "encls", "sgx"],
  ["0f 01 d0", "xgetbv", "xsave"],
  ["0f 01 d1", "xsetbv", "xsave"],
  ["0f 01 d4", "vmfunc", "vmx"],
  ["0f 01 d5", "xend", "rtm"],
  ["0f 01 d6", "xtest", "rtm"],
  ["0f 01 d7", "enclu", "sgx"],
  ["0f 01 d8", "vmrun", "svm"],
  ["0f 01 da", "vmload", "svm"],
  ["0f 01 db", "vmsave", "svm"],
  ["0f 01 dc", "stgi", "svm"],
  ["0f 01 dd", "clgi", "svm"],
  ["0f 01 de", "skinit", "svm"],
  ["0f 01 df", "invlpga", "svm"],
  ["np 0f 01 e8", "serialize", "serialize"],
  ["f2 0f 01 e8", "xsusldtrk", "tsxldtrk"],
  ["f2 0f 01 e9", "xresldtrk", "tsxldtrk"],
  ["f3 0f 01 e8", "setssbsy", "shstk"],
  ["f3 0f 01 ea", "saveprevssp", "shstk"],
  ["np 0f 01 ee", "rdpkru", "pku"],
  ["np 0f 01 ef", "wrpkru", "pku"],
  ["0f 01 fa", "monitorx", "mwaitx"],
  ["0f 01 fb", "mwaitx", "mwaitx"],
  ["0f 01 fc", "clzero", "clzero"],
  ["0f 01 fd", "rdpru", "rdpru"],
  ["0f 01 fe", "invlpgb", "invlpgb"],
  ["0f 01 ff", "tlbsync", "invlpgb"],
];

/** The same, but only in 64-bit mode. */
const singles64: typeof singles = [
  ["f3 0f 01 ec", "uiret", "uintr"],
  ["f3 0f 01 ed", "testui", "uintr"],
  ["f3 0f 01 ee", "clui", "uintr"],
  ["f3 0f 01 ef", "stui", "uintr"],
  ["66 0f 01 cc", "tdcall", "tdx"],
  ["66 0f 01 cd", "seamret", "tdx"],
  ["66 0f 01 ce", "seamops", "tdx"],
  ["66 0f 01 cf", "seamcall", "tdx"],
  ["f2 0f 01 fe", "rmpupdate", "sev_snp"],
  ["f3 0f 01 fe", "rmpadjust", "sev_snp"],
  ["f2 0f 01 ff", "pvalidate", "sev_snp"],
  ["f3 0f 01 ff", "psmash", "sev_snp"],
];

/** Saving and restoring extended state; with REX.W in the 64-bit layout. */
function saves(): Row[] {
  const kinds = [
    ["np", "0f ae", 0, "fxsave", "fxsr"],
    ["np", "0f ae", 1, "fxrstor", "fxsr"],
    ["np", "0f ae", 4, "xsave", "xsave"],
    ["np", "0f ae", 5, "xrstor", "xsave"],
    ["np", "0f ae", 6, "xsaveopt", "xsaveopt"],
    ["np", "0f c7", 3, "xrstors", "xsaves"],
    ["np", "0f c7", 4, "xsavec", "xsavec"],
    ["np", "0f c7", 5, "xsaves", "xsaves"],
  ] as const;
  return kinds.flatMap(([prefix, opcode, n, name, needs]) => [
    row(`${prefix} ${opcode} /${n}`, `${name} M`, { needs }),
    row(`${prefix} rex.w ${opcode} /${n}`, `${name}64 M`, { needs, as: name }),
  ]);
}

/** System instructions, by opcode. */
export function systemRows(): Row[] {
  return [
    row("0f 00 /0", "sldt Rv/Mw", pm),
    row("0f 00 /1", "str Rv/Mw", pm),
    row("0f 00 /2", "lldt Ew", { ...pm, ...ring0 }),
    row("0f 00 /3", "ltr Ew", { ...pm, ...ring0 }),
    row("0f 00 /4", "verr Ew", pm),
    row("0f 00 /5", "verw Ew", pm),
    row("f2 0f 00 /6", "lkgs Ew", { ...o64, ...ring0, needs: "lkgs" }),
    row("0f 01 /0", "sgdt Ms", f64),
    row("0f 01 /1", "sidt Ms", f64),
    row("0f 01 /2", "lgdt Ms", { ...f64, ...ring0 }),
    row("0f 01 /3", "lidt Ms", { ...f64, ...ring0 }),
    row("0f 01 /4", "smsw Rv/Mw"),
    row("0f 01 /6", "lmsw Ew", state),
    row("0f 01 /7", "invlpg Mb", state),
    row("f3 0f 01 /5", "rstorssp Mq", { needs: "shstk" }),
    row("0f 01 c1", "vmcall", { ends: true }),
    row("0f 01 d9", "vmmcall", { ends: true }),
    row("0f 01 f8", "swapgs", { ...o64, ...ring0 }),
    row("0f 01 f9", "rdtscp", { needs: "rdtscp" }),
    ...singles.map(([opcode, text, needs]) => row(opcode, text, { needs, ends: true })),
    ...singles64.map(([opcode, text, needs]) => row(opcode, text, { ...o64, needs, ends: true })),
    row("0f 02 /r", "lar Gv, Ew", pm),
    row("0f 03 /r", "lsl Gv, Ew", pm),
    // Intel's processors have these two in 64-bit mode only.
    row("0f 05", "syscall", { ...o64, needs: "syscall", ends: true }),
    row("0f 07", "sysret", { ...o64, ...state, needs: "syscall" }),
    row("0f 06", "clts", state),
    row("0f 08", "invd", ring0),
    row("0f 09", "wbinvd", ring0),
    row("f3 0f 09", "wbnoinvd", { ...ring0, needs: "wbnoinvd" }),
    row("0f 20 /r", "mov Ry, Cy", { ...f64, ...ring0, as: "mov_from_cr" }),
    row("0f 21 /r", "mov Ry, Dy", { ...f64, ...ring0, as: "mov_from_dr" }),
    row("0f 22 /r", "mov Cy, Ry", { ...f64, ...state, as: "mov_to_cr" }),
    row("0f 23 /r", "mov Dy, Ry", { ...f64, ...state, as: "mov_to_dr" }),
    row("0f 30", "wrmsr", { ...state, needs: "msr" }),
    row("0f 32", "rdmsr", { ...ring0, needs: "msr" }),
    row("0f 33", "rdpmc"),
    row("0f 34", "sysenter", { needs: "sep", ends: true }),
    row("0f 35", "sysexit", { ...state, needs: "sep" }),
    row("np 0f 37", "getsec", { ends: true, needs: "smx" }),
    row("np 0f 78 /r", "vmread Ey, Gy", { ...f64, needs: "vmx" }),
    row("np 0f 79 /r", "vmwrite Gy, Ey", { ...f64, needs: "vmx" }),
    row("0f aa", "rsm", { ends: true, needs: "smm" }),
    ...saves(),
    row("np 0f ae /2", "ldmxcsr Md", { needs: "sse" }),
    row("np 0f ae /3", "stmxcsr Md", { needs: "sse" }),
    row("np 0f ae /5 11b", "lfence", { needs: "sse2" }),
    row("np 0f ae /6 11b", "mfence", { needs: "sse2" }),
    row("np 0f ae /7 11b", "sfence", { needs: "sse" }),
    row("np 0f ae /7", "clflush Mb", { needs: "clflush" }),
    row("66 0f ae /6", "clwb Mb", { needs: "clwb" }),
    row("66 0f ae /7", "clflushopt Mb", { needs: "clflushopt" }),
    ...["rdfsbase", "rdgsbase", "wrfsbase", "wrgsbase"].map((name, n) =>
      row(`f3 0f ae /${n} 11b`, `${name} Ry`, { ...o64, needs: "fsgsbase" })
    ),
    row("f3 0f ae /4", "ptwrite Ey", { needs: "ptwrite" }),
    row("f3 0f ae /5 11b", "incsspd|incsspd|incsspq Ry", { as: "incssp", needs: "shstk" }),
    row("f3 0f ae /6", "clrssbsy Mq", { needs: "shstk" }),
    row("f3 0f ae /6 11b", "umonitor R", { needs: "waitpkg" }),
    row("f2 0f ae /6 11b", "umwait Ry", { needs: "waitpkg" }),
    row("66 0f ae /6 11b", "tpause Ry", { needs: "waitpkg" }),
    row("np 0f c7 /6", "vmptrld Mq", { needs: "vmx" }),
    row("66 0f c7 /6", "vmclear Mq", { needs: "vmx" }),
    row("f3 0f c7 /6", "vmxon Mq", { needs: "vmx" }),
    row("np 0f c7 /7", "vmptrst Mq", { needs: "vmx" }),
    row("f3 0f c7 /6 11b", "senduipi Rq", { ...o64, needs: "uintr" }),
    ...["invept", "invvpid", "invpcid"].map((name, n) =>
      row(`66 0f 38 ${hex2(0x80 + n)} /r`, `${name} Gy, Mdq`, {
        ...f64,
        ...state,
        needs: name === "invpcid" ? "invpcid" : "vmx",
      })
    ),
    row("66 0f 38 f5 /r", "wrussd|wrussd|wrussq My, Gy", { ...ring0, as: "wruss", needs: "shstk" }),
    row("np 0f 38 f6 /r", "wrssd|wrssd|wrssq My, Gy", { as: "wrss", needs: "shstk" }),
    row("f2 0f 38 f8 /r", "enqcmd G, M", { needs: "enqcmd" }),
    row("f3 0f 38 f8 /r", "enqcmds G, M", { ...ring0, needs: "enqcmd" }),
  ];
}
