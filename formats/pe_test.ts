import assert from "node:assert/strict";
import fc from "fast-check";
import { bzImage } from "../testdata/bzimage_builder.ts";
import { peImage, signedFields, winCertificate, writeChecksum } from "../testdata/pe_builder.ts";
import { FormatError } from "./errors.ts";
import { sizeOf, walk } from "./layout.ts";
import { decodePe, type Pe, peChecksum, peSectionBytes } from "./pe.ts";
import {
  coffHeader,
  compatRecord,
  dataDirectory,
  dosHeader,
  optionalHeader32,
  optionalHeader64,
  sectionHeader,
} from "./pe_headers.ts";

const read = (bytes: Uint8Array): Pe => {
  const pe = decodePe(bytes);
  assert.ok(pe !== undefined);
  return pe;
};
const rules = (bytes: Uint8Array) => read(bytes).complaints.map((c) => c.rule);
const testdata = (name: string) =>
  Deno.readFileSync(new URL(`../testdata/pe/${name}`, import.meta.url));

Deno.test("every byte of every PE header has one row", () => {
  const tables = [
    dosHeader,
    coffHeader,
    optionalHeader32,
    optionalHeader64,
    dataDirectory,
    sectionHeader,
    compatRecord,
  ];
  for (const table of tables) {
    let end = 0;
    for (const { path, at, row } of walk(table)) {
      assert.equal(at, end, `${table.name}.${path}`);
      end += sizeOf(row);
    }
    assert.equal(end, table.size, table.name);
  }
});

Deno.test("a bzImage's PE headers are told by generation, machine and section", async (t) => {
  const shown = (["old", "new"] as const).flatMap((pe) =>
    (["i386", "x86-64"] as const).map((machine) => {
      const found = read(bzImage({ pe, machine }));
      return {
        linuxLayout: found.linuxLayout,
        headerOffset: found.headerOffset,
        isPlus: found.isPlus,
        machine: found.coff.Machine,
        imageVersion: found.optional.MajorImageVersion,
        sections: found.sections,
        compat: found.compat,
        checksum: found.checksum?.status,
        directories: found.directories,
        complaints: found.complaints,
      };
    })
  );
  await t.assertSnapshot(shown);
});

// objdump -h -p of testdata/pe/uki.efi (binutils 2.40).
const objdump = {
  sections: [
    [".text", 0x3, 0x1000, 0x400],
    [".sdmagic", 0x25, 0x2000, 0x600],
    [".osrel", 0x75, 0x3000, 0x800],
    [".cmdline", 0x10, 0x4000, 0xa00],
    [".uname", 0xa, 0x5000, 0xc00],
    [".linux", 0x400, 0x6000, 0xe00],
    [".initrd", 0x10, 0x7000, 0x1200],
    [".sbat", 0x83, 0x8000, 0x1400],
    [".profile", 0x12, 0x9000, 0x1600],
    [".profile", 0x1b, 0xa000, 0x1800],
    [".cmdline", 0x6, 0xb000, 0x1a00],
  ],
  SizeOfImage: 0xc000,
};

Deno.test("sections and size are as objdump has them", () => {
  const bytes = testdata("uki.efi");
  const pe = read(bytes);
  const found = pe.sections.map((s) => [s.name, s.virtualSize, s.virtualAddress, s.offset]);
  assert.deepEqual(found, objdump.sections);
  assert.equal(pe.optional.SizeOfImage, objdump.SizeOfImage);
  assert.deepEqual(pe.complaints, []);
  assert.equal(pe.linuxLayout, undefined);
});

Deno.test("what is no PE image is undefined", () => {
  assert.equal(decodePe(new Uint8Array()), undefined);
  assert.equal(decodePe(bzImage()), undefined);
  const dos = new Uint8Array(0x200);
  dos.set([0x4d, 0x5a]);
  assert.equal(decodePe(dos), undefined);
  new DataView(dos.buffer).setUint32(0x3c, 0xffffffff, true);
  assert.equal(decodePe(dos), undefined);
});

Deno.test("a header cut short or of an unknown form is a FormatError that says where", () => {
  const image = peImage({ sections: [{ name: ".text", bytes: "x" }] });
  const thrown = (bytes: Uint8Array) => {
    try {
      return rules(bytes).join();
    } catch (error) {
      assert.ok(error instanceof FormatError, String(error));
      return error.message;
    }
  };
  assert.equal(
    thrown(image.subarray(0, 0x4a)),
    "IMAGE_FILE_HEADER.TimeDateStamp at 0x48: needs 4 bytes, the input ends at 0x4a",
  );
  assert.equal(
    thrown(image.subarray(0, 0x58)),
    "IMAGE_OPTIONAL_HEADER.Magic at 0x58: needs 2 bytes, the input ends at 0x58",
  );
  const odd = Uint8Array.from(image);
  odd[0x58] = 0x07;
  assert.equal(
    thrown(odd),
    "IMAGE_OPTIONAL_HEADER.Magic at 0x58: needs 0x10b (PE32) or 0x20b (PE32+), found 0x207",
  );
});

Deno.test("the checksum is what its definition gives, at every length", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 90 }), (tail) => {
      const image = peImage({
        sections: [{ name: ".text", bytes: tail, raw: [0x400, tail.length] }],
      });
      const bytes = new Uint8Array(0x400 + tail.length);
      bytes.set(image.subarray(0, bytes.length));
      writeChecksum(bytes); // word by word
      assert.equal(read(bytes).checksum?.status, "ok");
      assert.equal(peChecksum(bytes, signedFields(bytes).checksum), read(bytes).checksum?.stored);
    }),
    { seed: 6, numRuns: 200 },
  );
});

Deno.test("a checksum is ok, absent or wrong", () => {
  // sbsign wrote it.
  assert.equal(read(testdata("signed.efi")).checksum?.status, "ok");
  const image = peImage({ sections: [] });
  assert.equal(read(image).checksum?.status, "absent");
  writeChecksum(image);
  image[0x300] = 1;
  assert.equal(read(image).checksum?.status, "wrong");
  assert.deepEqual(rules(image), ["pe.checksum"]);
});

Deno.test("names of more than eight letters come from the string table", () => {
  const names = [".text", ".a-long-section-name", ".note.gnu.build-id"];
  const image = peImage({ sections: names.map((name) => ({ name, bytes: "x" })) });
  assert.deepEqual(read(image).sections.map((s) => s.name), names);
  const cut = image.subarray(0, image.length - 40);
  assert.deepEqual(read(cut).sections.map((s) => s.name), [".text", "/4", "/25"]);
});

Deno.test("peSectionBytes() leaves out the padding", () => {
  const image = peImage({ sections: [{ name: ".cmdline", bytes: "quiet" }] });
  const [section] = read(image).sections;
  assert.ok(section !== undefined);
  assert.equal(section.size, 512);
  assert.equal(new TextDecoder().decode(peSectionBytes(image, section)), "quiet");
  assert.equal(peSectionBytes(image.subarray(0, section.offset + 2), section).length, 2);
  assert.equal(peSectionBytes(image.subarray(0, 10), section).length, 0);
});

Deno.test("sections that overlap or pass the end are complained of", () => {
  const two = (a: Partial<{ raw: [number, number]; virtualAddress: number }>) =>
    rules(peImage({
      sections: [{ name: ".a", bytes: "a".repeat(512) }, { name: ".b", bytes: "b", ...a }],
    }));
  assert.deepEqual(two({}), []);
  assert.deepEqual(two({ raw: [0x500, 0x200] }), ["pe.section-overlap"]);
  assert.deepEqual(two({ virtualAddress: 0x1010 }), ["pe.section-overlap"]);
  const image = peImage({ sections: [{ name: ".a", bytes: "a" }] });
  assert.deepEqual(rules(image.subarray(0, 0x500)), ["pe.section-beyond-file"]);
});

Deno.test("counts that the file has no room for are complained of, and bounded", () => {
  const image = peImage({ sections: [{ name: ".a", bytes: "a" }] });
  const view = new DataView(image.buffer);
  view.setUint16(0x46, 0xffff, true); // NumberOfSections
  assert.ok(rules(image).includes("pe.sections"));
  assert.ok(read(image).sections.length <= image.length / sectionHeader.size);
  const other = peImage({ sections: [] });
  new DataView(other.buffer).setUint32(0x58 + 108, 0xffffffff, true); // NumberOfRvaAndSizes
  assert.deepEqual(rules(other), ["pe.directories"]);
  assert.equal(Object.keys(read(other).directories).length, 6);
});

Deno.test("a certificate table beyond the file is complained of", () => {
  const certificate = winCertificate({ bytes: new Uint8Array(64) });
  const image = bzImage({ pe: "new", certificate });
  assert.deepEqual(rules(image), []);
  assert.ok(rules(image.subarray(0, image.length - 8)).includes("pe.certificate-beyond-file"));
});
