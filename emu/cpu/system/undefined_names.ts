/**
 * Instructions that a processor may have and none of ours has. The decoder
 * hides them, since the features that bring them are missing; who asks for them
 * all the same gets #UD.
 *
 * @module
 */

/** Their semantic names. */
export const undefinedNames: readonly string[] = [
  // Virtual machines.
  ...["vmlaunch", "vmresume", "vmxoff", "vmfunc", "vmread", "vmwrite", "vmptrld", "vmclear"],
  ...["vmxon", "vmptrst", "invept", "invvpid", "vmrun", "vmload", "vmsave", "stgi", "clgi"],
  ...["skinit", "invlpga", "invlpgb", "tlbsync", "rmpupdate", "rmpadjust", "pvalidate", "psmash"],
  ...["tdcall", "seamret", "seamops", "seamcall"],
  // Enclaves, measured starts, system management.
  ...["enclv", "encls", "enclu", "pconfig", "getsec", "rsm"],
  // Transactions.
  ...["xabort", "xbegin", "xend", "xtest", "xsusldtrk", "xresldtrk"],
  // Shadow stacks and protection keys.
  ...["rdssp", "incssp", "rstorssp", "saveprevssp", "setssbsy", "clrssbsy", "wrss", "wruss"],
  ...["rdpkru", "wrpkru"],
  // Waiting, user interrupts, work for devices.
  ...["monitor", "mwait", "monitorx", "mwaitx", "umonitor", "umwait", "tpause"],
  ...["uiret", "testui", "clui", "stui", "senduipi", "enqcmd", "enqcmds", "movdiri", "movdir64b"],
  // The rest.
  ...["wrmsrns", "lkgs", "ptwrite", "clzero", "rdpru"],
];
