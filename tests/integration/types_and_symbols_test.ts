/**
 * What real kernels say of their own types and symbols, held against our table
 * of the zero page, against the ELF around it and against the banner inside.
 */
import assert from "node:assert/strict";
import { findBanner } from "../../formats/banner.ts";
import { bootParams } from "../../formats/boot_params.ts";
import { findBtf, layoutToFields, openBtf } from "../../formats/btf/mod.ts";
import { decodeElf, fileOffset, isElf } from "../../formats/elf.ts";
import { PT_LOAD } from "../../formats/elf_tables.ts";
import { findKallsyms } from "../../formats/kallsyms/mod.ts";
import { walk } from "../../formats/layout.ts";
import { decompress } from "../../formats/payload/decompress.ts";
import { findPayload } from "../../formats/payload/payload.ts";
import { decodeSetupHeader } from "../../formats/setup_header.ts";
import { configOf, type FetchedImage, forEachImage, readImage } from "../images/images.ts";

async function kernelIn(image: FetchedImage): Promise<Uint8Array> {
  const file = readImage(image);
  const payload = findPayload(file, decodeSetupHeader(file));
  assert.ok(payload?.format, `${image.id} has a payload`);
  const { offset, streamLength, sizeWord } = payload;
  const stream = file.subarray(offset, offset + streamLength);
  return (await decompress(payload.format, stream, sizeWord ? { size: sizeWord } : {})).bytes;
}

/** The options the kernel was built with, from the file beside it. */
function options(image: FetchedImage): ReadonlySet<string> | undefined {
  const config = configOf(image);
  if (config === undefined) return undefined;
  const lines = new TextDecoder().decode(readImage(config)).split("\n");
  return new Set(lines.filter((line) => line.endsWith("=y")).map((line) => line.slice(7, -2)));
}

forEachImage(
  "a kernel's own types and symbols agree with what we know of it",
  ["linux"],
  async (image) => {
    if (!/amd64|i386/.test(image.architecture)) return;
    const kernel = await kernelIn(image);
    assert.ok(isElf(kernel));
    const elf = decodeElf(kernel);
    const built = options(image);

    const kallsyms = findKallsyms(kernel);
    assert.ok(kallsyms.found, kallsyms.found ? "" : kallsyms.reason);
    assert.ok(kallsyms.count > 20_000);
    const entry = elf.entry;
    const part = elf.phdrs.find(({ type, paddr, filesz }) =>
      type === PT_LOAD && entry >= paddr && entry < paddr + filesz
    );
    assert.ok(part);
    const start = entry - part.paddr + part.vaddr;
    const names = ["startup_32", "startup_64"].map((name) => kallsyms.lookup(name));
    assert.ok(names.includes(start), `an entry at ${start}`);
    if (built?.has("KALLSYMS_ALL")) {
      const address = kallsyms.lookup("linux_banner");
      assert.ok(address !== undefined);
      const at = fileOffset(elf, address) ?? NaN;
      const banner = findBanner(kernel);
      assert.ok(banner);
      const said = `Linux version ${banner.release} (`;
      const text = new TextDecoder().decode(kernel.subarray(at, at + said.length));
      assert.equal(text, said);
    }

    const place = findBtf(kernel, elf.sections);
    if (built !== undefined) assert.equal(place !== undefined, built.has("DEBUG_INFO_BTF"));
    if (place === undefined) return;
    assert.deepEqual(findBtf(kernel), place);
    const btf = openBtf(kernel.subarray(place.offset, place.offset + place.length));
    assert.equal(btf.complaint, undefined);
    const layout = btf.structLayout("boot_params");
    assert.equal(layout?.size, 4096);
    const fields = layoutToFields(layout);
    const theirs = new Map(fields.map((field) => [field.path, field]));
    const paddings = fields.filter(({ path }) => path.startsWith("_pad"));
    for (const { path, at, size } of walk(bootParams)) {
      // Padding shrinks with every new field, and the disks' paths are unions.
      if (/^_pad|^eddbuf.*_path/.test(path)) continue;
      const field = theirs.get(path);
      if (field !== undefined) {
        assert.equal(`${at} ${size}`, `${field.at} ${field.size}`, path);
        continue;
      }
      const isPadding = paddings.some((p) => p.at <= at && at + size <= p.at + p.size);
      assert.ok(isPadding, `${path} is no padding in a kernel that does not have it`);
    }
  },
);
