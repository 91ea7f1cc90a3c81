/**
 * The ELF inside real kernels, held against readelf and against what else the
 * image says of itself.
 */
import assert from "node:assert/strict";
import { findBanner } from "../../formats/banner.ts";
import { decodeElf, type Elf, fileEnd, fileOffset, isElf } from "../../formats/elf.ts";
import { decodeNotes, findNote } from "../../formats/elf_notes.ts";
import { EM_386, PT_LOAD } from "../../formats/elf_tables.ts";
import { configString, decodeConfig, findIkconfig } from "../../formats/ikconfig.ts";
import { recogniseCompression } from "../../formats/payload/compression.ts";
import { decompress } from "../../formats/payload/decompress.ts";
import { findPayload } from "../../formats/payload/payload.ts";
import { decodeRelocations, relocationAddresses } from "../../formats/relocations.ts";
import { decodeSetupHeader } from "../../formats/setup_header.ts";
import { decodeXenGuest } from "../../formats/xen_guest.ts";
import { figuresOf, parseReadelf } from "../../testdata/readelf.ts";
import {
  configOf,
  type FetchedImage,
  forEachImage,
  readImage,
  withImages,
} from "../images/images.ts";

/** The kernel in a bzImage, in a compressed file, or as it stands. */
async function kernelIn(image: FetchedImage): Promise<Uint8Array> {
  const file = readImage(image);
  if (isElf(file)) return file;
  const format = recogniseCompression(file, 0);
  if (format !== undefined && format !== "none") return (await decompress(format, file)).bytes;
  const payload = findPayload(file, decodeSetupHeader(file));
  assert.ok(payload?.format, `${image.id} has a payload`);
  const { offset, streamLength, sizeWord } = payload;
  const stream = file.subarray(offset, offset + streamLength);
  return (await decompress(payload.format, stream, sizeWord ? { size: sizeWord } : {})).bytes;
}

const decoder = new TextDecoder();
const said = new Set<string>();

/** What readelf prints of these bytes; `undefined`, and a word about it, without readelf. */
function readelf(option: string, bytes: Uint8Array): string | undefined {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeFileSync(path, bytes);
    const args = [option, "--wide", path];
    return decoder.decode(
      new Deno.Command("readelf", { args, stderr: "null" }).outputSync().stdout,
    );
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    if (!said.has(option)) console.warn(`readelf ${option} skipped: it is not installed`);
    said.add(option);
    return undefined;
  } finally {
    Deno.removeSync(path);
  }
}

/** Owner and length of each note that readelf prints. */
function notesByReadelf(text: string): string[] {
  return [...text.matchAll(/^ {2}(\S+) +0x([0-9a-f]{8})\t/gm)]
    .map(([, owner, size]) => `${owner} ${Number(`0x${size}`)}`);
}

function holdAgainstReadelf(bytes: Uint8Array, elf: Elf): void {
  const headers = readelf("-hlS", bytes);
  if (headers !== undefined) assert.deepEqual(figuresOf(elf), parseReadelf(headers));
  const notes = readelf("-n", bytes);
  if (notes === undefined) return;
  assert.deepEqual(
    decodeNotes(bytes, elf).map((note) => `${note.owner} ${note.desc.length}`),
    notesByReadelf(notes),
  );
}

/** File offset of a place; the per-CPU segment, linked at 0, is found by where it is loaded. */
function placeOf(elf: Elf, address: bigint): number | undefined {
  const { load } = elf;
  if (!load) return undefined;
  const paddr = address - load.vaddr.start + load.paddr.start;
  const p = elf.phdrs.find((p) =>
    p.type === PT_LOAD && p.paddr <= paddr && paddr < p.paddr + p.filesz
  );
  return fileOffset(elf, address) ?? (p && Number(p.offset + paddr - p.paddr));
}

forEachImage("the ELF inside a Linux kernel is what readelf and the image say", [
  "linux",
], async (image) => {
  const file = readImage(image);
  const bytes = await kernelIn(image);
  const elf = decodeElf(bytes);
  assert.deepEqual(elf.complaints, []);
  holdAgainstReadelf(bytes, elf);

  const notes = decodeNotes(bytes, elf);
  assert.deepEqual(notes.filter((note) => note.name === undefined || note.complaint), []);
  assert.ok(findNote(notes, "GNU", 3), "a build ID");
  const release = findBanner(bytes)?.release;
  assert.equal(findNote(notes, "Linux", 0x100)?.value, release);

  const { kernel_version = 0 } = decodeSetupHeader(file).fields;
  const version = decoder.decode(file.subarray(kernel_version + 0x200, kernel_version + 0x300));
  assert.equal(version.split(" ")[0], release);

  const config = configOf(image);
  assert.ok(config, "its configuration was fetched with it");
  const options = decodeConfig(decoder.decode(readImage(config)));
  assert.equal(configString(options.get("CONFIG_DEFAULT_HOSTNAME") ?? ""), "(none)");
  assert.equal(options.get("CONFIG_64BIT"), elf.class === 64 ? "y" : "n");
  assert.equal(options.get("CONFIG_PVH") === "y", findNote(notes, "Xen", 18) !== undefined);
  assert.equal(options.get("CONFIG_IKCONFIG") === "y", findIkconfig(bytes) !== undefined);

  const relocations = decodeRelocations(bytes.subarray(fileEnd(elf)), elf);
  assert.deepEqual(relocations.complaints, []);
  const { lists } = relocations;
  const [major = 0, minor = 0] = release?.split(".").map(Number) ?? [];
  const expected = elf.machine === EM_386 ? 1 : major > 6 || major === 6 && minor >= 15 ? 2 : 3;
  assert.equal(lists.length, expected);
  const words = lists.reduce((sum, list) => sum + 1 + list.count, 0);
  assert.equal(fileEnd(elf) + 4 * words, bytes.length, "the table ends with the payload");

  // Told apart rightly: a 64-bit place holds all of a kernel address, its upper half ones.
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const list of lists) {
    let addresses = 0;
    for (const address of relocationAddresses(list)) {
      const place = placeOf(elf, address);
      assert.ok(place !== undefined, `${address.toString(16)} is in the file`);
      if (list.kind === "64-bit" && view.getUint32(place + 4, true) === 0xffffffff) addresses++;
    }
    if (list.kind === "64-bit") assert.ok(addresses > 0.99 * list.count, `${addresses}`);
  }
});

forEachImage("other ELF files are what readelf says", ["elf", "multiboot"], async (image) => {
  const bytes = await kernelIn(image);
  if (isElf(bytes)) holdAgainstReadelf(bytes, decodeElf(bytes));
});

withImages("the figures of one kernel stay what they were found to be", [
  "linux-6.1-amd64",
], async ([image], t) => {
  assert.ok(image);
  const ignore = image.version !== "6.1.192-2";
  const why = ignore ? ` (skipped: Debian has replaced it by ${image.version})` : "";
  const fn = async () => {
    const bytes = await kernelIn(image);
    const elf = decodeElf(bytes);
    const { lists } = decodeRelocations(bytes.subarray(fileEnd(elf)), elf);
    assert.equal(fileEnd(elf), 0x3e00b70);
    assert.deepEqual(lists.map((list) => list.count), [137_699, 8_385, 76_906]);
    assert.equal(findNote(decodeNotes(bytes, elf), "Xen", 18)?.value, 0x1000850);
  };
  await t.step({ name: `6.1.192-2${why}`, ignore, fn });
});

withImages("GNU Mach for Xen tells in __xen_guest what its notes fail to", [
  "gnumach-xen-486",
], async ([image]) => {
  assert.ok(image);
  const bytes = await kernelIn(image);
  const elf = decodeElf(bytes);
  assert.equal(decodeXenGuest(bytes, elf)?.values.get("GUEST_OS"), "GNU Mach");
  const notes = decodeNotes(bytes, elf);
  assert.deepEqual(new Set(notes.map((note) => note.owner)), new Set(["name"]));
});
