/**
 * Machines that kernel people know by name but that never got a number in the
 * boot header: asking for one deserves an answer, not "unknown platform".
 *
 * @module
 */

/** What became of a name. */
export interface Unnumbered {
  /** What it was. */
  readonly title: string;
  /** How a kernel came to run on it, and what to ask for instead. */
  readonly answer: string;
}

const buildTime = "chosen when the kernel was configured, not by the loader";
const isPc = "a PC to the boot protocol: use --platform pc";

/** Names without a number. */
export const unnumbered: Readonly<Record<string, Unnumbered>> = {
  voyager: {
    title: "NCR Voyager",
    answer: `discussed in May 2007 as a candidate for a number; ${buildTime}, removed about 2.6.30`,
  },
  visws: {
    title: "SGI Visual Workstation 320/540",
    answer: `its firmware never ran the setup code; ${buildTime}, removed about 3.15`,
  },
  numaq: { title: "IBM NUMA-Q", answer: `${buildTime}; ${isPc}` },
  summit: { title: "IBM Summit chip set", answer: `${buildTime}; ${isPc}` },
  es7000: { title: "Unisys ES7000", answer: `${buildTime}; ${isPc}` },
  bigsmp: { title: "PCs with more than eight processors", answer: isPc },
  generic: { title: "the generic APIC driver", answer: isPc },
  vmi: {
    title: "VMware's paravirtual interface",
    answer: 'found by its ROM, signed "cVmi"; a PC until then: use --platform pc',
  },
  kvm: { title: "KVM guest", answer: `told by CPUID; ${isPc}` },
  hyperv: { title: "Hyper-V guest", answer: `told by CPUID; ${isPc}` },
  vmware: { title: "VMware guest", answer: `told by CPUID; ${isPc}` },
  acrn: { title: "ACRN guest", answer: `told by CPUID; ${isPc}` },
  jailhouse: {
    title: "Jailhouse cell",
    answer: `told by CPUID and setup_data type 6; ${isPc}`,
  },
  olpc: { title: "One Laptop per Child XO", answer: `told by its Open Firmware; ${isPc}` },
  geode: { title: "AMD Geode boards", answer: isPc },
  quark: { title: "Intel Quark boards", answer: isPc },
  ps4: {
    title: "PlayStation 4",
    answer: "number 5 in forks of 4.14, 5.3 and 5.16 only; never assigned in the kernel",
  },
  uml: {
    title: "user-mode Linux",
    answer: "a program of its host, not something to boot",
  },
};
