/**
 * Processor models: what they call themselves and which features they have.
 *
 * Features are named as /proc/cpuinfo names them. They are the one truth: CPUID
 * shows them, the decoder knows instructions by them, control registers and MSRs
 * exist by them.
 *
 * ## Why 64-bit models are an Atom
 *
 * Family 6, model 54 (Cedarview) executes in order. Kernels know that it does not
 * speculate, and leave out page table isolation, retpolines and their like,
 * which only cost time here. "GenuineIntel" makes a kernel read its clock's
 * frequency off CPUID and not measure it. Stepping and microcode revision are
 * ones for which no erratum is worked around. Like that Atom they have no RDTSCP:
 * where there is one, kernels wait in loops of it, and RDTSC is the quicker one.
 *
 * Source: Intel SDM vol. 2, "CPUID"; vol. 4, table 2-1 (models); for the features
 * of old models Intel application note 485; levels: x86-64 psABI 1.0, 3.1.1.
 *
 * @module
 */

import type { Identity } from "../processor.ts";

/** A kind of processor. */
export interface CpuModel {
  /** As `--cpu` names it. */
  readonly name: string;
  /** What it is, in a few words. */
  readonly title: string;
  /** Family. */
  readonly family: number;
  /** Model within the family. */
  readonly model: number;
  /** Stepping. */
  readonly stepping: number;
  /** The highest basic leaf of CPUID. */
  readonly leaves: number;
  /** What it calls itself; empty: it cannot say. */
  readonly brand: string;
  /** Its features. */
  readonly features: ReadonlySet<string>;
}

const i486 = ["fpu"];
const i586 = [...i486, "vme", "de", "pse", "tsc", "msr", "mce", "cx8", "apic"];
const i686 = [...i586, "pae", "mtrr", "pge", "mca", "cmov"];
const pentium2 = [...i686, "sep", "pat", "pse36", "mmx", "fxsr"];
const pentium3 = [...pentium2, "sse"];
const amd64 = [
  ...[...pentium3, "sse2", "clflush", "lm", "syscall", "nx"],
  // What every clock of the machine is: steady, never stopped, known.
  ...["constant_tsc", "nonstop_tsc", "tsc_known_freq", "tsc_adjust", "arat"],
  "arch_capabilities",
];
const amd64v2 = [
  ...[...amd64, "pni", "ssse3", "sse4_1", "sse4_2", "popcnt", "cx16", "lahf_lm"],
  ...["pdpe1gb", "tsc_deadline_timer", "rdrand", "rdseed"],
];

/** What no model has by itself, and what each may be given: all of it is carried out. */
const further = [
  ...["smep", "smap", "umip", "pcid", "invpcid", "fsgsbase", "rdtscp", "rdpid", "movbe", "abm"],
  ...["adx", "erms", "fsrm", "xsave", "xsaveopt", "xsavec", "xgetbv1", "xsaves", "clflushopt"],
  ...["clwb", "wbnoinvd", "cldemote", "md_clear", "serialize", "hypervisor"],
];

const brand = "Zeropage virtual CPU";

interface ModelRow {
  readonly title: string;
  readonly version: readonly [family: number, model: number, stepping: number];
  readonly leaves: number;
  readonly brand?: string;
  readonly features: readonly string[];
}

/** Names of all models, simplest first. */
export const cpuModelNames = [
  "486",
  "pentium",
  "pentium-mmx",
  "686",
  "pentium2",
  "pentium3",
  "x86-64",
  "x86-64-v2",
] as const;

/** A model's name. */
export type CpuModelName = (typeof cpuModelNames)[number];

const models: Readonly<Record<CpuModelName, ModelRow>> = {
  "486": { title: "486 with CPUID and x87", version: [4, 8, 0], leaves: 1, features: i486 },
  pentium: { title: "Pentium", version: [5, 2, 12], leaves: 1, features: i586 },
  "pentium-mmx": {
    title: "Pentium with MMX",
    version: [5, 4, 3],
    leaves: 1,
    features: [...i586, "mmx"],
  },
  "686": { title: "Pentium Pro", version: [6, 1, 9], leaves: 2, features: i686 },
  pentium2: { title: "Pentium II", version: [6, 5, 2], leaves: 2, features: pentium2 },
  pentium3: { title: "Pentium III", version: [6, 8, 10], leaves: 2, features: pentium3 },
  "x86-64": {
    title: "64 bits, SSE2: what every 64-bit kernel asks for",
    version: [6, 54, 1],
    leaves: 0x16,
    brand,
    features: amd64,
  },
  "x86-64-v2": {
    title: "64 bits, SSE4.2, POPCNT, CMPXCHG16B",
    version: [6, 54, 1],
    leaves: 0x16,
    brand,
    features: amd64v2,
  },
};

/** The model that is meant if none is named. */
export const defaultCpuModel: CpuModelName = "x86-64-v2";

/**
 * A model by name, with features added and taken away: `x86-64-v2,+smep,-rdrand`.
 *
 * @throws {RangeError} If there is no such model or feature, or a feature has no sign.
 */
export function cpuModel(name: string): CpuModel {
  const [base = "", ...changes] = name.split(",");
  if (!Object.hasOwn(models, base)) {
    throw new RangeError(`unknown processor "${base}"; there are ${cpuModelNames.join(", ")}`);
  }
  const row: ModelRow = models[base as CpuModelName];
  const features = new Set(row.features);
  for (const change of changes) {
    const feature = change.slice(1);
    if (!/^[+-]./.test(change)) {
      throw new RangeError(`"${change}" is neither +feature nor -feature`);
    }
    if (!amd64v2.includes(feature) && !further.includes(feature)) {
      throw new RangeError(`no processor here has the feature "${feature}"`);
    }
    if (change.startsWith("+")) features.add(feature);
    else features.delete(feature);
  }
  const [family, model, stepping] = row.version;
  return {
    ...{ name, title: row.title, family, model, stepping },
    ...{ leaves: row.leaves, brand: row.brand ?? "", features },
  };
}

/** Whether a model has a feature, as a function for decoder and processor. */
export function hasFeature(model: CpuModel): (feature: string) => boolean {
  return (feature) => model.features.has(feature);
}

/** What a processor is told about itself. */
export interface IdentityOptions {
  /** Ticks a second of the time-stamp counter; 1,000,000,000 if absent. */
  readonly tscHz?: number;
  /** Ticks a second of the local APIC's timer; 1,000,000,000 if absent. */
  readonly apicHz?: number;
  /** Whether it offers KVM's clock; it does not if absent. */
  readonly paravirtClock?: boolean;
  /** Time at power-on, in seconds since 1970, UTC; 0 if absent. */
  readonly startTime?: number;
}

/** What a processor of a model says it is. */
export function identityOf(model: CpuModel, options: IdentityOptions = {}): Identity {
  const { tscHz = 1_000_000_000, apicHz = 1_000_000_000 } = options;
  const { paravirtClock = false, startTime = 0 } = options;
  const { family, stepping, brand, leaves } = model;
  return {
    ...{ vendor: "GenuineIntel", family, model: model.model, stepping, brand, leaves },
    ...{ tscHz, apicHz, paravirtClock, startTime },
  };
}
