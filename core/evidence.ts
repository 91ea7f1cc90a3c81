/**
 * What an inspected file shows to the platform table.
 *
 * @module
 */

import { findMultiboot1, findMultiboot2 } from "../formats/others/multiboot.ts";
import type { FoundHeader } from "../formats/setup_header.ts";
import type { Inspection } from "./inspection.ts";
import type { Kernel } from "./kernel.ts";
import type { Evidence, Feature, Verdict } from "./platforms/platform.ts";
import { platforms } from "./platforms/mod.ts";
import { isAtLeast, parseRelease, type Release } from "./release.ts";

/**
 * Functions that only a kernel built with the feature has. `lguest_entry` and
 * `xen_entry` are no such marks: every i386 kernel with PARAVIRT has them, weak,
 * on the `ud2` of its dispatch.
 */
const marks: Readonly<Record<Feature, readonly string[]>> = {
  LGUEST_GUEST: ["lguest_init"],
  XEN: ["xen_start_kernel", "startup_xen"],
  X86_INTEL_MID: ["x86_intel_mid_early_setup", "x86_mrst_early_setup"],
  X86_INTEL_CE: ["x86_ce4100_early_setup"],
  PARAVIRT: [
    "paravirt_disable_iospace",
    "_paravirt_nop",
    "paravirt_patch_default",
    "_paravirt_ident_32",
  ],
};

/** Options that once had another name; before 3.10 the MID boards were Moorestown. */
const formerNames: Partial<Readonly<Record<Feature, string>>> = { X86_INTEL_MID: "X86_MRST" };

/** The kernel's release: from the header's version string, else from the banner. */
export function releaseText(inspection: Inspection): string | undefined {
  return inspection.boot?.versionString?.release ?? inspection.kernel?.banner?.release ??
    inspection.uki?.sections.find(({ name }) => name === ".uname")?.text?.trim();
}

/** Whether Linux's dispatch looks at the number, so that what was built in matters. */
function dispatches(header: FoundHeader | undefined, release: Release | undefined): boolean {
  return header !== undefined && (release === undefined || !isAtLeast(release, "5.9"));
}

/** Gathers what the platform rows judge by. */
export async function evidenceOf(inspection: Inspection): Promise<Evidence> {
  const { kernel, boot } = inspection;
  const release = parseRelease(releaseText(inspection) ?? "");
  // Symbols take a moment to unpack; new kernels do not dispatch on the number.
  const features = kernel && dispatches(boot?.header, release)
    ? await builtFeatures(kernel)
    : new Map<Feature, boolean>();
  const elf = kernel?.elf;
  return {
    ...(boot && { header: boot.header }),
    ...(elf && {
      elf: {
        class: elf.class,
        isX86: elf.machine === 3 || elf.machine === 62,
        entry: physicalEntry(kernel),
      },
    }),
    // A payload that is named and did not come out leaves the same questions open.
    opened: inspection.opened && (kernel !== undefined || !boot?.header.fields.payload_length),
    isLinux: kernel?.banner !== undefined ||
      (kernel?.notes.some(({ owner }) => owner === "Linux") ?? false),
    notes: (kernel?.notes ?? []).map(({ owner, type, value }) => ({
      owner,
      type,
      ...((typeof value === "number" || typeof value === "bigint") && { value }),
    })),
    ...(kernel?.xenGuest && { xenGuest: kernel.xenGuest.values }),
    ...(release && { release }),
    built: (feature: Feature): boolean | undefined => features.get(feature),
    multiboot: multibootOf(kernel?.bytes ?? inspection.bytes),
  };
}

/** The multiboot headers at the head of a file. */
function multibootOf(bytes: Uint8Array): Evidence["multiboot"] {
  const first = findMultiboot1(bytes);
  const second = findMultiboot2(bytes);
  // Tag 3 names an entry other than the ELF's.
  const entry = second?.tags.find(({ type }) => type === 3)?.words[0];
  const address = first?.addresses?.entry_addr;
  return [
    ...(first ? [{ version: 1 as const, ...(address && { entry: BigInt(address) }) }] : []),
    ...(second ? [{ version: 2 as const, ...(entry && { entry: BigInt(entry) }) }] : []),
  ];
}

/** Physical address of the ELF's entry: old kernels give a virtual one. */
function physicalEntry(kernel: Kernel): bigint {
  const { elf } = kernel;
  if (!elf) return 0n;
  for (const { type, vaddr, paddr, memsz } of elf.phdrs) {
    if (type === 1 && elf.entry >= paddr && elf.entry < paddr + memsz) return elf.entry;
    if (type === 1 && elf.entry >= vaddr && elf.entry < vaddr + memsz) {
      return elf.entry - vaddr + paddr;
    }
  }
  return elf.entry;
}

/** What a kernel was built with, by its configuration, else by its symbols. */
export async function builtFeatures(
  kernel: Pick<Kernel, "config" | "symbols">,
): Promise<Map<Feature, boolean>> {
  const config = await kernel.config();
  const symbols = config ? undefined : await kernel.symbols();
  const features = new Map<Feature, boolean>();
  for (const [feature, names] of Object.entries(marks) as [Feature, readonly string[]][]) {
    if (config) {
      const options = [feature, formerNames[feature]];
      features.set(feature, options.some((option) => config.get(`CONFIG_${option}`) === "y"));
    } else if (symbols) {
      features.set(feature, names.some((name) => symbols.lookup(name) !== undefined));
    }
  }
  return features;
}

/** Every row's verdict about a file, by the platform's name. */
export async function judgePlatforms(
  inspection: Inspection,
): Promise<ReadonlyMap<string, Verdict>> {
  const evidence = await evidenceOf(inspection);
  return new Map(
    Object.entries(platforms).map(([name, platform]) => [name, platform.judge(evidence)]),
  );
}
