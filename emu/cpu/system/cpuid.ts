/**
 * CPUID: what the processor says of itself.
 *
 * Source: Intel SDM vol. 2, "CPUID"; KVM's leaves: the kernel's
 * Documentation/virt/kvm/x86/cpuid.rst.
 *
 * @module
 */

import { physicalBits } from "../page_walk.ts";
import { cr4Bits, type Identity, type Processor, type SystemSemantics } from "../processor.ts";
import { cpuModel, defaultCpuModel, identityOf } from "./models.ts";

export {
  type CpuModel,
  cpuModel,
  type CpuModelName,
  cpuModelNames,
  defaultCpuModel,
  hasFeature,
  identityOf,
  type IdentityOptions,
} from "./models.ts";

/** Features by leaf and register, in the order of their bits; "" stands for one that has no name. */
const featureBits = {
  edx1: [
    ...["fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce"],
    ...["cx8", "", "", "sep", "mtrr", "pge", "mca", "cmov"],
    ...["pat", "pse36", "pn", "clflush", "", "dts", "acpi", "mmx"],
    ...["fxsr", "sse", "sse2", "ss", "ht", "tm", "ia64", "pbe"],
  ],
  ecx1: [
    ...["pni", "pclmulqdq", "dtes64", "monitor", "ds_cpl", "vmx", "smx", "est"],
    ...["tm2", "ssse3", "cid", "sdbg", "fma", "cx16", "xtpr", "pdcm"],
    ...["", "pcid", "dca", "sse4_1", "sse4_2", "x2apic", "movbe", "popcnt"],
    ...["tsc_deadline_timer", "aes", "xsave", "", "avx", "f16c", "rdrand", "hypervisor"],
  ],
  eax6: ["", "", "arat"],
  ebx7: [
    ...["fsgsbase", "tsc_adjust", "sgx", "bmi1", "hle", "avx2", "", "smep"],
    ...["bmi2", "erms", "invpcid", "rtm", "cqm", "", "mpx", "rdt_a"],
    ...["avx512f", "avx512dq", "rdseed", "adx", "smap", "avx512ifma", "", "clflushopt"],
    ...["clwb", "intel_pt", "avx512pf", "avx512er", "avx512cd", "sha_ni", "avx512bw", "avx512vl"],
  ],
  ecx7: [
    ...["", "avx512vbmi", "umip", "pku", "", "waitpkg", "avx512_vbmi2", "shstk"],
    ...["gfni", "vaes", "vpclmulqdq", "avx512_vnni", "avx512_bitalg", "", "", ""],
    ...["la57", "", "", "", "", "", "rdpid", ""],
    ...["", "cldemote", "", "movdiri", "movdir64b", "enqcmd", "", ""],
  ],
  edx7: [
    ...["", "", "", "", "fsrm", "", "", ""],
    ...["", "", "md_clear", "", "", "", "serialize", ""],
    ...["tsxldtrk", "", "pconfig", "", "ibt", "", "", ""],
    ...["", "", "", "", "", "arch_capabilities", "", ""],
  ],
  eaxD: ["xsaveopt", "xsavec", "xgetbv1", "xsaves"],
  ecxE1: ["lahf_lm", "", "", "", "", "abm", "", "", "3dnowprefetch"],
  edxE1: [
    ...["", "", "", "", "", "", "", "", "", "", "", "syscall", "", "", "", ""],
    ...["", "", "", "", "nx", "", "", "", "", "", "pdpe1gb", "rdtscp", "", "lm", "", ""],
  ],
  edxE7: ["", "", "", "", "", "", "", "", "nonstop_tsc"],
  ebxE8: ["", "", "", "", "", "", "", "", "", "wbnoinvd"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

const osxsave = 1 << 27;
const apicBit = 1 << 9;
/** The deadline timer, which is the local APIC's. */
const deadlineBit = 1 << 24;
/** Of IA32_APIC_BASE. */
const apicEnabled = 0x800n;

/** First leaf for hypervisors. */
const kvmBase = 0x4000_0000;
/** No need to wait after I/O, clock by MSRs 0x4b564d00 and up, and it is steady. */
const kvmFeatures = 1 << 1 | 1 << 3 | 1 << 24;

const extendedBase = 0x8000_0000;

let defaultIdentity: Identity | undefined;

/** What a processor says it is. */
export function identity(cpu: Processor): Identity {
  return cpu.identity ?? (defaultIdentity ??= identityOf(cpuModel(defaultCpuModel)));
}

/** What CPUID answers: EAX, EBX, ECX, EDX. */
export function cpuid(cpu: Processor, leaf: number, subleaf: number): Uint32Array {
  const answer = new Uint32Array(4);
  fill(cpu, identity(cpu), leaf >>> 0, subleaf >>> 0, answer);
  cpu.host?.cpuid?.(leaf >>> 0, subleaf >>> 0, answer);
  return answer;
}

function fill(cpu: Processor, id: Identity, leaf: number, subleaf: number, a: Uint32Array): void {
  const extended = id.brand === "" ? 0 : cpu.has("lm") ? 8 : 4;
  if (leaf >= extendedBase && extended > 0 && leaf <= extendedBase + extended) {
    fillExtended(cpu, id, leaf - extendedBase, extended, a);
  } else if (id.paravirtClock && leaf >= kvmBase && leaf < kvmBase + 0x100) {
    if (leaf === kvmBase) a.set([kvmBase + 1, ...words("KVMKVMKVM\0\0\0")]);
    else if (leaf === kvmBase + 1) a[0] = kvmFeatures;
  } else if (leaf <= id.leaves) fillBasic(cpu, id, leaf, subleaf, a);
  // Beyond what there is, Intel's processors answer with the highest basic leaf.
  else fillBasic(cpu, id, id.leaves, subleaf, a);
}

function fillBasic(
  cpu: Processor,
  id: Identity,
  leaf: number,
  subleaf: number,
  a: Uint32Array,
): void {
  const bits = (key: keyof typeof featureBits) => bitsOf(cpu, featureBits[key]);
  switch (leaf) {
    case 0: {
      const [b = 0, d = 0, c = 0] = words(id.vendor);
      a.set([id.leaves, b, c, d]);
      break;
    }
    case 1: {
      const { apic } = cpu.devices;
      const hasApic = cpu.has("apic") && apic !== undefined && (apic.base & apicEnabled) !== 0n;
      // One logical processor, number 0; CLFLUSH is for lines of 64 bytes.
      a.set([
        version(id),
        0x1_0000 | (cpu.has("clflush") ? 0x800 : 0),
        bits("ecx1") & (hasApic ? -1 : ~deadlineBit) | (id.paravirtClock ? 1 << 31 : 0) |
        ((cpu.cr4 & cr4Bits.OSXSAVE) !== 0 ? osxsave : 0),
        bits("edx1") | (hasApic ? apicBit : 0),
      ]);
      break;
    }
    case 2:
      // To be asked once; L1 caches of 32 KiB, L2 of 2 MiB.
      a.set([1, 0, 0, 0x002c_307d]);
      break;
    case 4:
      fillCache(subleaf, a);
      break;
    case 6:
      a[0] = bits("eax6");
      break;
    case 7:
      if (subleaf === 0) a.set([0, bits("ebx7"), bits("ecx7"), bits("edx7")]);
      break;
    case 0xd:
      if (cpu.has("xsave")) fillSave(cpu, subleaf, a);
      break;
    case 0x15: {
      // The counter's frequency as a fraction of the crystal's, which drives the APIC timer.
      const common = divisor(id.tscHz, id.apicHz);
      a.set([id.apicHz / common, id.tscHz / common, id.apicHz, 0]);
      break;
    }
    case 0x16: {
      const megahertz = Math.round(id.tscHz / 1_000_000);
      a.set([megahertz, megahertz, 100, 0]);
    }
  }
}

function fillExtended(
  cpu: Processor,
  id: Identity,
  leaf: number,
  last: number,
  a: Uint32Array,
): void {
  const bits = (key: keyof typeof featureBits) => bitsOf(cpu, featureBits[key]);
  switch (leaf) {
    case 0:
      a[0] = extendedBase + last;
      break;
    case 1:
      // Intel shows SYSCALL where it can be used: in 64-bit mode.
      a.set([0, 0, bits("ecxE1"), bits("edxE1") & (cpu.mode === 64 ? -1 : ~(1 << 11))]);
      break;
    case 2:
    case 3:
    case 4:
      a.set(words(id.brand.slice(0, 47).padEnd(48, "\0")).slice(4 * leaf - 8, 4 * leaf - 4));
      break;
    case 6:
      // L2: 2 MiB, 8 ways, lines of 64 bytes.
      a[2] = 2048 << 16 | 6 << 12 | 64;
      break;
    case 7:
      a[3] = bits("edxE7");
      break;
    case 8:
      a.set([(cpu.has("lm") ? 48 : 32) << 8 | physicalBits(cpu.has), bits("ebxE8"), 0, 0]);
  }
}

/** Family, model and stepping as leaf 1 packs them. */
function version({ family, model, stepping }: Identity): number {
  const base = Math.min(family, 15);
  return family - base << 20 | model >> 4 << 16 | base << 8 | (model & 15) << 4 | stepping;
}

/** Leaf 4: first-level caches of 32 KiB and 8 ways for data and code, one of 2 MiB for both. */
function fillCache(subleaf: number, a: Uint32Array): void {
  if (subleaf > 2) return;
  const kind = [1, 2, 3][subleaf] ?? 0;
  const level = subleaf === 2 ? 2 : 1;
  const [ways, lines, sets] = [8, 64, subleaf === 2 ? 4096 : 64];
  // Bit 8: needs no initialisation.
  a.set([kind | level << 5 | 1 << 8, ways - 1 << 22 | lines - 1, sets - 1, 0]);
}

/** Leaf 0xd: the area for XSAVE, its legacy part and header of 576 bytes, AVX behind. */
function fillSave(cpu: Processor, subleaf: number, a: Uint32Array): void {
  const avx = cpu.has("avx");
  const size = (features: number) => 576 + ((features & 4) !== 0 ? 256 : 0);
  const all = 3 | (avx ? 4 : 0);
  if (subleaf === 0) a.set([all, size(cpu.xcr0), size(all), 0]);
  else if (subleaf === 1) a.set([bitsOf(cpu, featureBits.eaxD), size(cpu.xcr0), 0, 0]);
  else if (subleaf === 2 && avx) a.set([256, 576, 0, 0]);
}

function bitsOf(cpu: Processor, names: readonly string[]): number {
  let bits = 0;
  names.forEach((name, n) => {
    if (name !== "" && cpu.has(name)) bits |= 1 << n;
  });
  return bits;
}

/** Text as words of four letters. */
function words(text: string): number[] {
  const bytes = new DataView(new TextEncoder().encode(text).buffer);
  return Array.from({ length: bytes.byteLength >> 2 }, (_, n) => bytes.getUint32(4 * n, true));
}

/** The greatest common divisor. */
function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}

/** CPUID. */
export const cpuidSemantics: Readonly<Record<string, SystemSemantics>> = {
  cpuid: (cpu) => {
    const [a = 0, b = 0, c = 0, d = 0] = cpuid(cpu, cpu.low(0), cpu.low(1));
    cpu.setAddress(0, a, 32);
    cpu.setAddress(3, b, 32);
    cpu.setAddress(1, c, 32);
    cpu.setAddress(2, d, 32);
  },
};
