import assert from "node:assert/strict";
import fc from "fast-check";
import {
  elf,
  type ElfRecipe,
  joined,
  latin1,
  note,
  relocationTable,
  u32,
  u64,
} from "../testdata/elf_builder.ts";
import { type Figures, figuresOf } from "../testdata/readelf.ts";
import {
  decodeElf,
  describeElf,
  elf32Ehdr,
  elf32Phdr,
  elf32Shdr,
  elf64Ehdr,
  elf64Phdr,
  elf64Shdr,
  fileEnd,
  fileOffset,
  isElf,
  sectionBytes,
  segmentBytes,
} from "./elf.ts";
import { elfIdent, PT_LOAD } from "./elf_tables.ts";
import { FormatError } from "./errors.ts";
import { flaws } from "./layout.ts";

/** A kernel in small: text, the per-CPU segment of old, notes, bss, relocations behind. */
const kernel64: ElfRecipe = {
  entry: 0x1000000,
  segments: [
    {
      vaddr: 0xffffffff81000000n,
      paddr: 0x1000000,
      data: new Uint8Array(0x40).fill(0x90),
      align: 0x10,
    },
    { vaddr: 0, paddr: 0x1001000, data: new Uint8Array(8), memsz: 0x100, flags: 6 },
  ],
  sections: [
    { name: ".text", flags: 6, addr: 0xffffffff81000000n, segment: 0, align: 16 },
    { name: ".bss", flags: 3, addr: 0xffffffff82000000n, size: 0x1000 },
  ],
  notes: [
    note("GNU", 3, Uint8Array.of(0xde, 0xad, 0xbe, 0xef)),
    note("Linux", 0x100, "6.1.0-x"),
    note("Linux", 0x101, u32(0)),
    note("Xen", 18, u64(0x1000850n)),
    note("Xen", 19, u32(0x200000, 0x1000000, 0x3fffffff)),
  ],
  trailing: relocationTable([0x81000000]),
};

const kernel32: ElfRecipe = {
  class: 32,
  entry: 0x100000,
  segments: [{
    vaddr: 0xc0100000,
    paddr: 0x100000,
    data: new Uint8Array(0x24).fill(0x90),
    memsz: 0x80,
    align: 4,
    flags: 7,
  }],
  sections: [
    { name: ".text", flags: 6, addr: 0xc0100000, segment: 0 },
    { name: "__xen_guest", data: latin1("GUEST_OS=linux,XEN_VER=xen-3.0,PAE") },
  ],
  notes: [note("Xen", 18, u32(0x100000))],
};

const kernelBig: ElfRecipe = {
  bigEndian: true,
  machine: 22,
  entry: 0x10000,
  segments: [{ paddr: 0x10000, data: new Uint8Array(8) }],
  sections: [{ name: ".text", flags: 6, addr: 0x10000, segment: 0 }],
};

/** readelf -hlS --wide (GNU Binutils 2.40) of the three, see `parseReadelf`. */
const witness: readonly (readonly [ElfRecipe, Figures])[] = [
  [kernel64, {
    entry: "0x1000000",
    phdrs: [
      "LOAD 0xf0 0xffffffff81000000 0x1000000 0x40 0x40 RE 0x10",
      "LOAD 0x130 0x0 0x1001000 0x8 0x100 RW 0x1",
      "NOTE 0x138 0x0 0x0 0x7c 0x7c  0x4",
    ],
    sections: [
      " NULL 0x0 0x0 0x0 0x0  0 0 0",
      ".text PROGBITS 0xffffffff81000000 0xf0 0x40 0x0 AX 0 0 16",
      ".bss NOBITS 0xffffffff82000000 0x1b4 0x1000 0x0 WA 0 0 1",
      ".notes NOTE 0x0 0x138 0x7c 0x0  0 0 4",
      ".shstrtab STRTAB 0x0 0x1b4 0x1d 0x0  0 0 1",
    ],
  }],
  [kernel32, {
    entry: "0x100000",
    phdrs: [
      "LOAD 0x74 0xc0100000 0x100000 0x24 0x80 RWE 0x4",
      "NOTE 0x98 0x0 0x0 0x14 0x14  0x4",
    ],
    sections: [
      " NULL 0x0 0x0 0x0 0x0  0 0 0",
      ".text PROGBITS 0xc0100000 0x74 0x24 0x0 AX 0 0 1",
      "__xen_guest PROGBITS 0x0 0xac 0x22 0x0  0 0 1",
      ".notes NOTE 0x0 0x98 0x14 0x0  0 0 4",
      ".shstrtab STRTAB 0x0 0xce 0x24 0x0  0 0 1",
    ],
  }],
  [kernelBig, {
    entry: "0x10000",
    phdrs: ["LOAD 0x78 0x10000 0x10000 0x8 0x8 RE 0x1"],
    sections: [
      " NULL 0x0 0x0 0x0 0x0  0 0 0",
      ".text PROGBITS 0x10000 0x78 0x8 0x0 AX 0 0 1",
      ".shstrtab STRTAB 0x0 0x80 0x11 0x0  0 0 1",
    ],
  }],
];

Deno.test("the ELF tables have a row for every byte", () => {
  const tables = [elfIdent, elf32Ehdr, elf64Ehdr, elf32Phdr, elf64Phdr, elf32Shdr, elf64Shdr];
  // Sizes by sizeof() of the C library's elf.h.
  assert.deepEqual(tables.map((table) => table.size), [16, 52, 64, 32, 56, 40, 64]);
  for (const table of tables) assert.deepEqual([...flaws(table)], [], table.name);
});

Deno.test("decodeElf() reads the headers that readelf reads, of both word sizes and orders", () => {
  for (const [recipe, figures] of witness) {
    assert.deepEqual(figuresOf(decodeElf(elf(recipe))), figures);
  }
});

Deno.test("decodeElf() has no complaint about a kernel as linkers make it", () => {
  assert.deepEqual(decodeElf(elf(kernel64)).complaints, []);
  assert.deepEqual(decodeElf(elf(kernel32)).complaints, []);
});

Deno.test("decodeElf() says for which machine a foreign kernel is", () => {
  const foreign = decodeElf(elf(kernelBig));
  assert.equal(describeElf(foreign), "64-bit big-endian ET_EXEC for EM_S390");
  assert.deepEqual(foreign.complaints.map(({ rule, message }) => [rule, message]), [[
    "elf.machine",
    "is made for EM_S390, big endian; x86 is EM_386 or EM_X86_64, little endian",
  ]]);
  assert.match(
    decodeElf(elf({ machine: 183 })).complaints[0]?.message ?? "",
    /EM_AARCH64, little endian/,
  );
});

Deno.test("the load span leaves the per-CPU template at virtual 0 out, but not out of memory", () => {
  assert.deepEqual(decodeElf(elf(kernel64)).load, {
    paddr: { start: 0x1000000n, end: 0x1001100n },
    vaddr: { start: 0xffffffff81000000n, end: 0xffffffff81000040n },
  });
  const atZero = elf({ segments: [{ vaddr: 0, paddr: 0, data: new Uint8Array(16) }] });
  assert.deepEqual(decodeElf(atZero).load?.vaddr, { start: 0n, end: 16n });
  assert.equal(decodeElf(elf()).load, undefined);
});

Deno.test("fileEnd() is where the relocations begin", () => {
  for (const recipe of [kernel64, kernel32, { ...kernel64, sections: [] }]) {
    const bytes = elf(recipe);
    assert.equal(fileEnd(decodeElf(bytes)), bytes.length - (recipe.trailing?.length ?? 0));
  }
});

Deno.test("fileEnd() never passes the end of the input", () => {
  const bytes = elf({ ...kernel64, trailing: new Uint8Array() });
  for (const cut of [64, 100, 0x100, 0x1c0]) {
    assert.ok(fileEnd(decodeElf(bytes.subarray(0, cut))) <= cut);
  }
});

Deno.test("an ELF within other bytes is read at its place", () => {
  const alone = elf(kernel64);
  const bytes = joined([new Uint8Array(13).fill(0x7f), alone]);
  assert.ok(isElf(bytes, 13) && !isElf(bytes) && !isElf(bytes, 1000));
  const within = decodeElf(bytes, { at: 13 });
  assert.deepEqual(figuresOf(within), figuresOf(decodeElf(alone)));
  assert.equal(fileEnd(within), 13 + fileEnd(decodeElf(alone)));
  assert.deepEqual(sectionBytes(bytes, within, ".text"), new Uint8Array(0x40).fill(0x90));
  assert.equal(fileOffset(within, 0xffffffff81000003n), 13 + 0xf0 + 3);
});

Deno.test("bytes of sections and segments are had by name and by header", () => {
  const bytes = elf(kernel32);
  const decoded = decodeElf(bytes);
  assert.equal(sectionBytes(bytes, decoded, "__xen_guest")?.length, 0x22);
  assert.equal(sectionBytes(bytes, decoded, ".data"), undefined);
  assert.equal(sectionBytes(elf(kernel64), decodeElf(elf(kernel64)), ".bss"), undefined);
  const [text] = decoded.phdrs;
  assert.ok(text && text.type === PT_LOAD);
  assert.equal(segmentBytes(bytes, decoded, text).length, 0x24);
  // Memory beyond p_filesz is in no file.
  assert.equal(fileOffset(decoded, 0xc0100023n), 0x74 + 0x23);
  assert.equal(fileOffset(decoded, 0xc0100024n), undefined);
});

const brokenHeads: readonly (readonly [name: string, bytes: Uint8Array, message: RegExp])[] = [
  ["nothing", new Uint8Array(), /^e_ident\.EI_MAG at 0x0: needs 4 bytes, the input ends at 0x0$/],
  ["a script", latin1("#!/bin/sh -e\nexit 0"), /needs 7f 45 4c 46, found 23 21 2f 62$/],
  ["class 3", elf().with(4, 3), /EI_CLASS at 0x4: needs 1 \(32 bits\) or 2 \(64 bits\), found 3$/],
  ["order 0", elf().with(5, 0), /EI_DATA at 0x5: needs 1 .* or 2 .*, found 0$/],
  ["a cut header", elf().subarray(0, 50), /^Elf64_Ehdr\.e_flags at 0x30: needs 4 bytes/],
  ["a cut big header", elf(kernelBig).subarray(0, 50), /^Elf64_Ehdr at 0x0: needs 64 bytes/],
];

for (const [name, bytes, message] of brokenHeads) {
  Deno.test(`decodeElf() throws a FormatError for ${name}`, () => {
    assert.throws(
      () => decodeElf(bytes),
      (e) => e instanceof FormatError && message.test(e.message) || assert.fail(String(e)),
    );
  });
}

const code = new Uint8Array(32);
const complaints: readonly (readonly [recipe: ElfRecipe, rule: string, message: RegExp])[] = [
  [
    { segments: [{ paddr: 1, data: code, lie: { filesz: 0x100000 }, memsz: 0x100000 }] },
    "elf.segment-beyond-file",
    /PT_LOAD needs bytes 0x78 to 0x100078, the input ends at 0x98/,
  ],
  [
    { segments: [{ paddr: 1, data: code, lie: { offset: 1n << 63n } }] },
    "elf.segment-beyond-file",
    /0x8000000000000000/,
  ],
  [{ segments: [{ data: code, memsz: 4 }] }, "elf.segment-shrinks", /32 bytes in the file, 4 in/],
  [
    { segments: [{ paddr: 0, data: code }, { paddr: 31, data: code }] },
    "elf.segments-overlap",
    /0x0 to 0x20 overlaps the one from 0x1f/,
  ],
  [
    { segments: [{ data: code, align: 3 }] },
    "elf.alignment",
    /p_align needs a power of two, found 0x3/,
  ],
  [{ segments: [{ data: code }], entry: 32 }, "elf.entry-outside", /e_entry 0x20 lies in no/],
  [
    { sections: [{ name: ".data", data: code, size: 999 }] },
    "elf.section-beyond-file",
    /\.data needs bytes 0x40 to 0x427, the input ends/,
  ],
  [{ header: { e_phnum: 9, e_phoff: 64 } }, "elf.table-beyond-file", /9 headers need 504 bytes/],
  [
    { segments: [{ data: code }], header: { e_phentsize: 8 } },
    "elf.entry-size",
    /headers need 56 bytes each, the file header says 8/,
  ],
  [
    { sections: [{ name: "x", data: code }], header: { e_shstrndx: 77 } },
    "elf.no-names",
    /e_shstrndx is 77 of 3/,
  ],
  [{ header: { e_shoff: 0x999999 } }, "elf.e_shoff", /e_shoff is 0x999999, the input ends at 0x40/],
  [{ header: { e_version: 7 } }, "elf.e_version", /e_version needs 1, found 7/],
  [{ header: { e_ehsize: 52 } }, "elf.e_ehsize", /e_ehsize needs 64, found 52/],
];

Deno.test("decodeElf() decodes on and complains of what is wrong, by a rule's name", async (t) => {
  for (const [recipe, rule, message] of complaints) {
    await t.step(rule, () => {
      const found = decodeElf(elf(recipe)).complaints.find((c) => c.rule === rule);
      assert.match(found?.message ?? "", message);
      assert.match(found?.structure ?? "", /^Elf64_[EPS]hdr/);
    });
  }
});

Deno.test("a number of program headers past 0xfffe is in the first section header", () => {
  const segments = Array.from({ length: 3 }, (_, i) => ({ paddr: 64 * i, data: code }));
  const bytes = elf({ segments, sections: [{ name: ".x", data: code }] });
  const view = new DataView(bytes.buffer);
  const shoff = Number(view.getBigUint64(0x28, true));
  view.setUint16(0x38, 0xffff, true);
  view.setUint32(shoff + 0x2c, 3, true); // sh_info
  assert.equal(decodeElf(bytes).phdrs.length, 3);
  // The same way for sections: e_shnum 0 and sh_size, e_shstrndx 0xffff and sh_link.
  view.setUint16(0x3c, 0, true);
  view.setBigUint64(shoff + 0x20, 3n, true);
  view.setUint16(0x3e, 0xffff, true);
  view.setUint32(shoff + 0x28, 2, true);
  assert.deepEqual(decodeElf(bytes).sections.map((s) => s.name), ["", ".x", ".shstrtab"]);
  view.setBigUint64(shoff + 0x20, 1n << 62n, true);
  const many = decodeElf(bytes);
  assert.equal(many.sections.length, 3);
  assert.match(many.complaints[0]?.message ?? "", /headers need .* bytes, the input ends at/);
});

Deno.test("65,535 program headers and as many section headers decode in linear time", () => {
  const table = joined([
    elf({ header: { e_phnum: 0xffff, e_phoff: 64, e_shnum: 0xfffe, e_shoff: 64 } }),
    new Uint8Array(0xffff * 64).fill(0x41),
  ]);
  const view = new DataView(table.buffer);
  view.setUint32(64 + 0x2c, 0xffff, true);
  for (let i = 0; i < 0xffff; i++) view.setUint32(64 + 56 * i, PT_LOAD, true);
  const start = performance.now();
  const decoded = decodeElf(table);
  const spent = performance.now() - start;
  assert.equal(decoded.sections.length, 0xfffe);
  assert.ok(decoded.phdrs.length > 0xfff0);
  assert.ok(decoded.complaints.length <= 65, "complaints are bounded too");
  assert.ok(spent < 5000, `took ${spent} ms`);
});

Deno.test("a table of names without a NUL gives bounded names", () => {
  const bytes = elf({ sections: [{ name: "x".repeat(5000), data: code }] });
  assert.equal(decodeElf(bytes).sections[1]?.name.length, 255);
});

Deno.test("cut at any length or with any header byte changed, the result is an ELF or a FormatError", () => {
  for (const recipe of [kernel64, kernel32, kernelBig]) {
    const bytes = elf(recipe);
    const held = (input: Uint8Array) => {
      try {
        const decoded = decodeElf(input);
        assert.ok(fileEnd(decoded) <= input.length);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    };
    for (let length = 0; length < bytes.length; length++) held(bytes.subarray(0, length));
    for (let at = 0; at < bytes.length; at++) {
      for (const byte of [0, 0x7f, 0xff, (bytes[at] ?? 0) ^ 1]) held(bytes.with(at, byte));
    }
  }
});

Deno.test("decodeElf() finds what was put in", () => {
  const u = (bits: bigint) => fc.bigInt({ min: 0n, max: (1n << bits) - 1n });
  const plain = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
    fc.record<T>(model, { noNullPrototype: true });
  const recipe = fc.constantFrom<32 | 64>(32, 64).chain((size) =>
    plain({
      class: fc.constant(size),
      bigEndian: fc.boolean(),
      machine: fc.integer({ min: 0, max: 0xffff }),
      type: fc.integer({ min: 0, max: 0xffff }),
      entry: u(BigInt(size)),
      segments: fc.array(
        plain({
          type: fc.integer({ min: 0, max: 0xffffffff }),
          flags: fc.integer({ min: 0, max: 0xffffffff }),
          vaddr: u(BigInt(size)),
          paddr: u(BigInt(size)),
          memsz: u(BigInt(size)),
          data: fc.uint8Array({ maxLength: 40 }),
          align: fc.constantFrom(1, 2, 4, 8, 16),
        }),
        { maxLength: 5 },
      ),
      sections: fc.array(
        plain({
          name: fc.stringMatching(/^[.\w]{0,20}$/),
          flags: fc.integer({ min: 0, max: 0xffffffff }),
          addr: u(BigInt(size)),
          data: fc.uint8Array({ maxLength: 40 }),
        }),
        { maxLength: 5 },
      ),
    })
  );
  fc.assert(
    fc.property(recipe, (wanted) => {
      const bytes = elf(wanted);
      const got = decodeElf(bytes);
      const { segments, sections, ...head } = wanted;
      assert.deepEqual(
        {
          class: got.class,
          bigEndian: !got.littleEndian,
          machine: got.machine,
          type: got.type,
          entry: got.entry,
        },
        head,
      );
      assert.deepEqual(
        got.phdrs.map((p) => ({
          type: p.type,
          flags: p.flags,
          vaddr: p.vaddr,
          paddr: p.paddr,
          memsz: p.memsz,
          data: segmentBytes(bytes, got, p),
          align: Number(p.align),
        })),
        segments,
      );
      assert.deepEqual(
        got.sections.slice(1, -1).map((s) => ({
          name: s.name,
          flags: Number(s.flags),
          addr: s.addr,
          data: sectionBytes(bytes, got, s),
        })),
        sections,
      );
      assert.equal(fileEnd(got), bytes.length);
    }),
    { seed: 1991, numRuns: 300 },
  );
});
