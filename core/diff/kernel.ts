/**
 * Two unpacked kernels: the ELF, its segments by type and rights, its notes by
 * owner and type, its sections by name, the relocations behind it.
 *
 * @module
 */

import type { Elf, Phdr, Section } from "../../formats/elf.ts";
import {
  elfTypes,
  machineName,
  PT_LOAD,
  sectionFlags,
  sectionName,
  segmentName,
  SHT_NULL,
} from "../../formats/elf_tables.ts";
import { hex } from "../../formats/errors.ts";
import { bitNames } from "../../formats/layout.ts";
import type { Inspection } from "../inspection.ts";
import type { Kernel } from "../kernel.ts";
import {
  address,
  byteCount,
  type Change,
  compare,
  growth,
  growthOf,
  keyed,
  pairs,
  side,
  size,
} from "./change.ts";
import { grouped } from "../words.ts";

/** Compares the kernels inside; where only one side has one, that alone is said. */
export async function* compareKernels(a: Inspection, b: Inspection): AsyncGenerator<Change> {
  const [left, right] = [a.kernel, b.kernel];
  if (!left || !right) {
    if (a.opened && b.opened) {
      yield* compare("kernel", "kernel", kernelSide(left), kernelSide(right), {
        note: `nothing inside the ${left ? "second" : "first"} file to compare with`,
      });
    }
    return;
  }
  const unpacked = [left.bytes.length, right.bytes.length] as const;
  yield* compare("kernel", "size", size(unpacked[0]), size(unpacked[1]), () => ({
    kind: "resized",
    note: growth(...unpacked),
  }));
  for (const [name, row] of Object.entries(inside)) {
    yield* compare("kernel", name, side(await row(left)), side(await row(right)));
  }
  if (!left.elf || !right.elf) {
    yield* compare("kernel", "elf", elfSide(left.elf), elfSide(right.elf));
  } else {
    yield* compareElf(left.elf, right.elf);
    yield* compareSegments(left.elf, right.elf);
    yield* compareSections(left.elf, right.elf);
  }
  yield* compareNotes(left, right);
  yield* compareRelocations(left, right);
}

/** What a kernel has inside beside its code; "yes", or undefined where it has none. */
const inside: Readonly<Record<string, (kernel: Kernel) => Promise<string | undefined>>> = {
  "BTF": ({ elf }) =>
    Promise.resolve(elf?.sections.some(({ name }) => name === ".BTF") ? "yes" : undefined),
  "built-in .config": (kernel) =>
    kernel.configText().then((text) => text === undefined ? undefined : "yes", () => undefined),
};

function kernelSide(kernel: Kernel | undefined): ReturnType<typeof side> {
  if (!kernel) return undefined;
  const what = kernel.elf ? `ELF ${kernel.elf.class}-bit` : "raw";
  return side(kernel.bytes.length, `${what}, ${byteCount(kernel.bytes.length)}`);
}

function elfSide(elf: Elf | undefined): ReturnType<typeof side> {
  return elf && side(`ELF ${elf.class}-bit`);
}

function* compareElf(a: Elf, b: Elf): Generator<Change> {
  const types: Readonly<Record<number, string>> = elfTypes;
  const type = (elf: Elf) => side(elf.type, types[elf.type] ?? hex(elf.type));
  const machine = (elf: Elf) => side(elf.machine, machineName(elf.machine));
  yield* compare("kernel", "elf.class", bits(a), bits(b));
  yield* compare("kernel", "elf.machine", machine(a), machine(b));
  yield* compare("kernel", "elf.type", type(a), type(b));
  yield* compare("kernel", "elf.entry", address(a.entry), address(b.entry), () => ({
    kind: "moved",
    note: `entry moved by ${distance(a.entry, b.entry)}`,
  }));
  for (const space of ["paddr", "vaddr"] as const) {
    const span = (elf: Elf) => {
      const at = elf.load?.[space];
      return at && side([at.start, at.end], `${hex(at.start)}..${hex(at.end)}`);
    };
    const length = (elf: Elf) => elf.load && elf.load[space].end - elf.load[space].start;
    yield* compare("kernel", `load.${space}`, span(a), span(b), () => ({
      note: growthOf(length(a), length(b), "bytes"),
    }));
  }
}

const bits = (elf: Elf) => side(elf.class, `${elf.class}-bit`);

/** "+0x1000", "-0x20". */
export function distance(was: number | bigint, is: number | bigint): string {
  const by = BigInt(is) - BigInt(was);
  return by < 0n ? `-${hex(-by)}` : `+${hex(by)}`;
}

const rights = (flags: number): string =>
  `${flags & 4 ? "R" : ""}${flags & 2 ? "W" : ""}${flags & 1 ? "E" : ""}` || "none";

/**
 * Segments go by type, loaded ones by type and rights: an index says nothing once
 * a segment has come or gone. What is left over of a type pairs up in order.
 */
function* compareSegments(a: Elf, b: Elf): Generator<Change> {
  // Between 32 and 64 bits every address is another, and no distance means a thing.
  const moves = a.class === b.class;
  const name = (phdr: Phdr) =>
    phdr.type === PT_LOAD ? `PT_LOAD ${rights(phdr.flags)}` : segmentName(phdr.type);
  const [left, right] = [keyed(a.phdrs, name), keyed(b.phdrs, name)];
  const lone = Map.groupBy([...right].filter(([key]) => !left.has(key)), ([, { type }]) => type);
  for (const [key, was] of [...left].filter(([key]) => !right.has(key))) {
    // Changed rights alone are the same segment.
    const match = lone.get(was.type)?.shift();
    if (!match) continue;
    left.delete(key);
    right.delete(match[0]);
    yield* compareSegment(key, moves, was, match[1]);
  }
  for (const [key, was, is] of pairs(left, right)) yield* compareSegment(key, moves, was, is);
}

function* compareSegment(
  name: string,
  moves: boolean,
  was?: Phdr,
  is?: Phdr,
): Generator<Change> {
  yield* compare("segments", name, segmentSide(was), segmentSide(is), () => {
    if (!was || !is) return {};
    const notes = [
      was.vaddr === is.vaddr || !moves ? "" : `moved by ${distance(was.vaddr, is.vaddr)}`,
      was.memsz === is.memsz ? "" : `${growth(was.memsz, is.memsz)} in memory`,
      was.filesz === is.filesz || was.filesz - is.filesz === was.memsz - is.memsz
        ? ""
        : `${growth(was.filesz, is.filesz)} in the file`,
      was.flags === is.flags ? "" : `rights ${rights(was.flags)} → ${rights(is.flags)}`,
    ].filter(Boolean);
    const kind = was.memsz !== is.memsz ? "resized" : was.vaddr !== is.vaddr ? "moved" : "changed";
    return { kind, note: notes.join(", ") };
  });
}

/** The offset in the file is left out: it follows from what lies before. */
function segmentSide(phdr: Phdr | undefined): ReturnType<typeof side> {
  if (!phdr) return undefined;
  const { vaddr, paddr, filesz, memsz, flags, align } = phdr;
  const inFile = filesz === memsz ? "" : `, ${hex(filesz)} in the file`;
  return side(
    { vaddr, paddr, filesz, memsz, flags, align },
    `${hex(vaddr)} at ${hex(paddr)}, ${hex(memsz)} bytes${inFile}${
      flags & 7 ? `, ${rights(flags)}` : ""
    }`,
  );
}

/**
 * Sections that came or went, then those of another size. Where a section lies is
 * left out: it follows from the sizes before it.
 */
function* compareSections(a: Elf, b: Elf): Generator<Change> {
  const named = (elf: Elf) =>
    keyed(elf.sections.filter(isReal), ({ name }) => name || "(nameless)");
  const all = [...pairs(named(a), named(b))];
  const isLone = ([, was, is]: typeof all[number]) => !was || !is;
  for (const [name, was, is] of [...all.filter(isLone), ...all.filter((p) => !isLone(p))]) {
    const isOther = was?.flags !== is?.flags || was?.type !== is?.type;
    const [before, after] = [sectionSide(was, isOther), sectionSide(is, isOther)];
    yield* compare("sections", name, before, after, () => {
      if (!was || !is || was.size === is.size) return {};
      return { kind: "resized", note: growth(was.size, is.size) };
    });
  }
}

const isReal = ({ type }: Section): boolean => type !== SHT_NULL;

function sectionSide(section: Section | undefined, withFlags: boolean): ReturnType<typeof side> {
  if (!section) return undefined;
  const { type, flags, size } = section;
  const words = bitNames(Number(flags & 0xffff_ffffn), sectionFlags)
    .map((name) => name.replace(/^SHF_/, "").toLowerCase());
  const kind = sectionName(type).replace(/^SHT_/, "");
  const more = withFlags ? `, ${[kind, ...words].join(" ")}` : "";
  return side({ type, flags, size }, `${byteCount(size)}${more}`);
}

function* compareNotes(a: Kernel, b: Kernel): Generator<Change> {
  const named = ({ notes }: Kernel) =>
    keyed(notes, ({ owner, type, name }) => `${owner} ${name ?? `type ${type}`}`);
  for (const [key, was, is] of pairs(named(a), named(b))) {
    yield* compare(
      "notes",
      key,
      was && side(was.value, was.shown),
      is && side(is.value, is.shown),
      () => {
        const moved = key.includes("ENTRY") && was && is;
        if (moved) {
          const [from, to] = [was.value, is.value];
          if (isNumber(from) && isNumber(to)) {
            return { kind: "moved", note: `entry moved by ${distance(from, to)}` };
          }
        }
        const doc = (is ?? was)?.doc;
        return was && is || doc === undefined ? {} : { note: doc.replace(/\.$/, "") };
      },
    );
  }
  const guest = ({ xenGuest }: Kernel) => new Map(xenGuest?.values ?? []);
  for (const [key, was, is] of pairs(guest(a), guest(b))) {
    yield* compare("notes", `__xen_guest ${key}`, side(was), side(is));
  }
}

const isNumber = (value: unknown): value is number | bigint =>
  typeof value === "number" || typeof value === "bigint";

function* compareRelocations(a: Kernel, b: Kernel): Generator<Change> {
  const lists = ({ relocations }: Kernel) =>
    new Map((relocations?.lists ?? []).map((list) => [list.kind, list.count]));
  for (const [kind, was, is] of pairs(lists(a), lists(b))) {
    const places = (n: number | undefined) =>
      n === undefined ? undefined : side(n, `${grouped(n)} places`);
    yield* compare("relocations", kind, places(was), places(is), () => ({
      ...(was !== undefined && is !== undefined && { kind: "resized" as const }),
      note: growthOf(was, is, "places"),
    }));
  }
}
