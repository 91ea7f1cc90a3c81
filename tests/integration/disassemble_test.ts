/**
 * The code of real kernels, instruction by instruction, held against capstone.
 */
import assert from "node:assert/strict";
import createCapstone from "@alexaltea/capstone-js";
import { disassemble } from "../../emu/cpu/disassemble.ts";
import { decodeElf, isElf } from "../../formats/elf.ts";
import { PT_LOAD } from "../../formats/elf_tables.ts";
import { decompress } from "../../formats/payload/decompress.ts";
import { findPayload } from "../../formats/payload/payload.ts";
import { decodeSetupHeader } from "../../formats/setup_header.ts";
import { type FetchedImage, readImage, withImages } from "../images/images.ts";

/** Bytes of code compared in each kernel, in pieces spread over its text. */
const pieces = 12;
const pieceSize = 24 * 1024;

/** The first loadable segment, which is a kernel's text, and whether it is 64-bit. */
async function textOf(image: FetchedImage): Promise<{ code: Uint8Array; mode: 32 | 64 }> {
  const file = readImage(image);
  let kernel: Uint8Array = file;
  if (!isElf(file)) {
    const payload = findPayload(file, decodeSetupHeader(file));
    assert.ok(payload?.format);
    const { offset, streamLength } = payload;
    const stream = file.subarray(offset, offset + streamLength);
    kernel = (await decompress(payload.format, stream)).bytes;
  }
  const elf = decodeElf(kernel);
  const text = elf.phdrs.find(({ type }) => type === PT_LOAD);
  assert.ok(text);
  const start = Number(text.offset);
  return { code: kernel.subarray(start, start + Number(text.filesz)), mode: elf.class };
}

for (const id of ["linux-6.1-686", "linux-6.1-cloud-amd64"]) {
  withImages(`capstone and we see the same instructions in ${id}`, [id], async ([image]) => {
    assert.ok(image);
    const { code, mode } = await textOf(image);
    const capstone = await createCapstone();
    const engine = new capstone.Capstone(
      capstone.ARCH_X86,
      mode === 64 ? capstone.MODE_64 : capstone.MODE_32,
    );
    engine.option(capstone.OPT_SKIPDATA, capstone.OPT_ON);
    const disagreements: string[] = [];
    let compared = 0;
    for (let n = 0; n < pieces; n++) {
      const piece = code.subarray(Math.floor(code.length * 0.6 / pieces) * n).subarray(
        0,
        pieceSize,
      );
      for (const theirs of engine.disasm(piece, 0)) {
        const at = Number(theirs.address);
        if (at + 16 > piece.length) break;
        // Data between functions, and AVX, of which ours says only that it is undefined.
        if (theirs.mnemonic === ".byte" || /^v(?!er|m)|^k/.test(theirs.mnemonic)) continue;
        const ours = disassemble(piece.subarray(at, at + 16), { mode });
        compared++;
        if (ours.length === theirs.size || /^ud[01]/.test(ours.text)) continue;
        disagreements.push(
          `${piece.subarray(at, at + 16).toHex()} ${theirs.mnemonic} ${ours.text}`,
        );
      }
    }
    engine.close();
    assert.deepEqual(disagreements, []);
    assert.ok(compared > 50_000, `${compared} compared`);
  });
}
