/**
 * Zstandard: frames of blocks, each with its literals and its sequences of
 * literals and matches.
 *
 * The window, up to 128 MiB in kernels, costs nothing here: matches are copied
 * within the result. Content size and content checksum (XXH64) are held against
 * what comes out. Dictionaries are not known.
 *
 * Source: RFC 8878.
 *
 * @module
 */

import { FormatError, hex, need } from "../errors.ts";
import { Arena } from "./_arena.ts";
import { type Checks, createChecks, RunningHash } from "./_checks.ts";
import {
  createZstdCode,
  ZSTD_BLOCK,
  ZSTD_SEQUENCES,
  ZSTD_TABLES,
  type ZstdCode,
  zstdStatus,
  zstdTables,
} from "./_zstd_code.ts";
import {
  readDistribution,
  readHuffmanTree,
  type SequenceCodes,
  sequenceCodes,
  type SequenceTableName,
  sequenceTableNames,
  type TableMaker,
  writeSingleSymbol,
  writeStateTable,
  writeValues,
} from "./_zstd_tables.ts";
import { type Bounds, checkFailed } from "./_decoder.ts";
import type { Decompressed } from "./decompress.ts";

const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;

/**
 * Unpacks one or more zstd frames; skippable ones are skipped.
 *
 * @throws {FormatError} If one is damaged, cut short, fails its check or needs a
 *   dictionary, or if the result is longer than the limit.
 */
export async function decodeZstd(bytes: Uint8Array, bounds: Bounds): Promise<Decompressed> {
  need(bytes, { structure: "zstd", field: "magic", offset: 0 }, 4);
  const arena = new Arena("zstd", bytes, ZSTD_TABLES, bounds.limit);
  try {
    const code = await createZstdCode(arena);
    return new ZstdReader(bytes, arena, code, await createChecks(arena), bounds).read();
  } catch (error) {
    arena.release();
    throw error;
  }
}

/** What a frame's header says. */
interface FrameHeader {
  readonly window: number;
  readonly contentSize: number | undefined;
  readonly hasChecksum: boolean;
}

class ZstdReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #arena: Arena;
  readonly #code: ZstdCode;
  readonly #checks: Checks;
  readonly #bounds: Bounds;
  readonly #codes: SequenceCodes = sequenceCodes();
  readonly #maker: TableMaker;
  #at = 0;
  #out: number;
  readonly #met = new Set<string>();
  readonly #parameters: Record<string, string | number> = {};
  /** Bits of the frame's last tables, for blocks that use them again; -1 none yet. */
  readonly #bits: Record<SequenceTableName, number> = {
    literalLengths: -1,
    offsets: -1,
    matchLengths: -1,
  };
  #huffmanBits = -1;

  constructor(
    bytes: Uint8Array,
    arena: Arena,
    code: ZstdCode,
    checks: Checks,
    bounds: Bounds,
  ) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#arena = arena;
    this.#code = code;
    this.#checks = checks;
    this.#bounds = bounds;
    this.#out = arena.outputAt;
    this.#maker = { code, memory: arena.memory, inputAt: arena.inputAt };
    writeValues(this.#maker, this.#codes);
  }

  read(): Decompressed {
    let frames = 0;
    for (; this.#at + 4 <= this.#bytes.length; frames++) {
      const magic = this.#view.getUint32(this.#at, true);
      if (magic === MAGIC) this.#frame();
      else if (magic >>> 4 === SKIPPABLE >>> 4) this.#skip();
      else if (frames > 0) break;
      else {
        throw new FormatError(
          { structure: "zstd", field: "magic", offset: this.#at },
          `needs ${hex(MAGIC)}, found ${hex(magic, 8)}`,
        );
      }
    }
    if (frames > 1) this.#parameters.frames = frames;
    return {
      bytes: this.#arena.finish(this.#out),
      consumed: this.#at,
      checks: [...this.#met],
      parameters: this.#parameters,
    };
  }

  #skip(): void {
    const place = { structure: "zstd.skippable_frame", field: "size", offset: this.#at };
    need(this.#bytes, place, 8);
    const size = this.#view.getUint32(this.#at + 4, true);
    need(this.#bytes, place, 8 + size);
    this.#at += 8 + size;
  }

  #frame(): void {
    const start = this.#at;
    const header = this.#frameHeader();
    this.#parameters.window ??= header.window;
    const { contentSize } = header;
    const from = this.#out;
    if (contentSize !== undefined) this.#arena.holdLimit(from + contentSize, start);
    const most = Math.min(ZSTD_BLOCK, header.window);
    Object.assign(this.#bits, { literalLengths: -1, offsets: -1, matchLengths: -1 });
    this.#huffmanBits = -1;
    const code = this.#code;
    [code.rep0.value, code.rep1.value, code.rep2.value] = [1, 4, 8];
    const hash = header.hasChecksum ? new RunningHash(this.#checks, true, from) : undefined;
    for (let isLast = false; !isLast;) {
      isLast = this.#block(most, from);
      hash?.add(this.#out);
      this.#bounds.progress?.(
        this.#out - this.#arena.outputAt,
        this.#bounds.size ?? contentSize,
      );
    }
    if (contentSize !== undefined && contentSize !== this.#out - from) {
      throw new FormatError(
        { structure: "zstd", field: "Frame_Content_Size", offset: start },
        `says ${contentSize} bytes, the frame has ${this.#out - from}`,
      );
    }
    if (hash !== undefined) {
      const place = { structure: "zstd", field: "Content_Checksum", offset: this.#at };
      need(this.#bytes, place, 4);
      const stored = this.#view.getUint32(this.#at, true);
      const found = Number(hash.end(this.#out) & 0xffff_ffffn);
      if (stored !== found) throw checkFailed("zstd", this.#at, "XXH64", stored, found);
      this.#met.add("XXH64");
      this.#at += 4;
    }
  }

  #frameHeader(): FrameHeader {
    const structure = "zstd.frame_header";
    const start = this.#at;
    need(this.#bytes, { structure, offset: start }, 5);
    const descriptor = this.#bytes[start + 4] ?? 0;
    if (descriptor & 0x08) {
      throw new FormatError(
        { structure, field: "Frame_Header_Descriptor", offset: start + 4 },
        `needs a reserved bit of 0, found ${hex(descriptor, 2)}`,
      );
    }
    const isSingle = (descriptor & 0x20) !== 0;
    const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
    const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
    let at = start + 5;
    need(this.#bytes, { structure, offset: at }, (isSingle ? 0 : 1) + dictionaryBytes + sizeBytes);
    let window = 0;
    if (!isSingle) {
      const byte = this.#bytes[at++] ?? 0;
      window = 2 ** (10 + (byte >> 3)) * (1 + (byte & 7) / 8);
    }
    if (this.#littleEndian(at, dictionaryBytes) !== 0) {
      throw new FormatError(
        { structure, field: "Dictionary_ID", offset: at },
        `needs dictionary ${this.#littleEndian(at, dictionaryBytes)}, which no kernel has`,
      );
    }
    at += dictionaryBytes;
    const contentSize = sizeBytes === 0
      ? undefined
      : this.#littleEndian(at, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
    this.#at = at + sizeBytes;
    if (isSingle) window = contentSize ?? 0;
    return { window, contentSize, hasChecksum: (descriptor & 4) !== 0 };
  }

  #littleEndian(at: number, size: number): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (this.#bytes[at + i] ?? 0);
    return value;
  }

  /** Unpacks a block; returns whether it was the last. */
  #block(most: number, base: number): boolean {
    const structure = "zstd.block_header";
    const start = this.#at;
    need(this.#bytes, { structure, offset: start }, 3);
    const header = this.#littleEndian(start, 3);
    const type = header >> 1 & 3;
    const size = header >> 3;
    if (type === 3 || size > most) {
      throw new FormatError(
        { structure, offset: start },
        type === 3
          ? "needs a block of type 0 to 2, found 3"
          : `needs a block of up to ${most} bytes, found ${size}`,
      );
    }
    const dataAt = this.#at = start + 3;
    need(
      this.#bytes,
      { structure, field: "Block_Size", offset: start },
      3 + (type === 1 ? 1 : size),
    );
    const { inputAt } = this.#arena;
    if (type === 2) {
      this.#compressed(dataAt + size, most, base);
      this.#at = dataAt + size;
    } else {
      this.#arena.holdLimit(this.#out + size, start);
      this.#arena.reserve(this.#out + size);
      if (type === 0) {
        this.#arena.bytes().copyWithin(this.#out, inputAt + dataAt, inputAt + dataAt + size);
      } else {
        this.#arena.fill(this.#bytes[dataAt] ?? 0, this.#out, this.#out + size);
      }
      this.#out += size;
      this.#at += type === 0 ? size : 1;
    }
    return (header & 1) === 1;
  }

  #compressed(end: number, most: number, base: number): void {
    const from = this.#out;
    const arena = this.#arena;
    const code = this.#code;
    const start = this.#at;
    this.#literals(end, most);
    const count = this.#sequenceCount(end);
    arena.reserve(from + most);
    code.out.value = from;
    if (count > 0) {
      this.#sequenceTables(end);
      code.literalBits.value = this.#bits.literalLengths;
      code.offsetBits.value = this.#bits.offsets;
      code.matchBits.value = this.#bits.matchLengths;
      const { inputAt } = arena;
      if (this.#at >= end) this.#fail("sequences", this.#at, "needs bits, the block ends");
      let status = code.sequences(inputAt + this.#at, inputAt + end, count);
      if (status === zstdStatus.ended) status = code.execute(count, from + most, base);
      if (status !== zstdStatus.ended) this.#failBy(status, "sequences", start, most);
    } else if (this.#at !== end) {
      this.#fail("sequences", this.#at, "needs the end of the block after no sequences");
    }
    // What literals are left come last.
    const left = code.literalEnd.value - code.literal.value;
    const out = code.out.value;
    if (out - from + left > most) this.#failBy(zstdStatus.tooLong, "literals", start, most);
    arena.bytes().copyWithin(out, code.literal.value, code.literalEnd.value);
    this.#out = out + left;
    arena.holdLimit(this.#out, start);
  }

  /** Reads the literals section and puts the literals where the sequences look for them. */
  #literals(end: number, most: number): void {
    const start = this.#at;
    const head = this.#littleEndian(start, Math.min(5, end - start));
    const type = head & 3;
    const format = head >> 2 & 3;
    const isPacked = type >= 2;
    const headSize = isPacked ? [3, 3, 4, 5][format] ?? 3 : [1, 2, 1, 3][format] ?? 1;
    if (start + headSize > end) this.#fail("literals", start, "needs a header, the block ends");
    const width = isPacked ? [10, 10, 14, 18][format] ?? 10 : 20;
    const size = isPacked
      ? Math.floor(head / 16) % 2 ** width
      : (head & ((1 << (8 * headSize)) - 1)) >> (headSize === 1 ? 3 : 4);
    if (size > most) {
      this.#fail("literals", start, `needs up to ${most} literals, found ${size}`);
    }
    const at = start + headSize;
    const { inputAt } = this.#arena;
    const code = this.#code;
    const buffer = zstdTables.literals;
    code.literal.value = buffer;
    code.literalEnd.value = buffer + size;
    if (type === 0) {
      this.#holdWithin("literals", at, size, end);
      code.literal.value = inputAt + at;
      code.literalEnd.value = inputAt + at + size;
      this.#at = at + size;
    } else if (type === 1) {
      this.#holdWithin("literals", at, 1, end);
      this.#arena.bytes().fill(this.#bytes[at] ?? 0, buffer, buffer + size);
      this.#at = at + 1;
    } else {
      const packed = Math.floor(head / 2 ** (4 + width)) % 2 ** width;
      this.#holdWithin("literals", at, packed, end);
      this.#huffman(at, at + packed, size, type === 3, format === 0 ? 1 : 4);
      this.#at = at + packed;
    }
  }

  #huffman(start: number, end: number, size: number, isTreeless: boolean, streams: number): void {
    let at = start;
    if (isTreeless) {
      if (this.#huffmanBits < 0) this.#fail("literals", at, "needs a tree of an earlier block");
    } else {
      const input = { bytes: this.#bytes, at, end };
      const tree = readHuffmanTree(this.#maker, input, zstdTables.huffman);
      this.#huffmanBits = tree.bits;
      at = tree.at;
    }
    const { inputAt } = this.#arena;
    const code = this.#code;
    const to = zstdTables.literals;
    const bits = this.#huffmanBits;
    const from = inputAt + at;
    if (streams === 1) {
      if (at >= end) this.#fail("literals", at, "needs a stream within the section");
      const status = code.huffman(from, inputAt + end, to, size, bits);
      if (status !== zstdStatus.ended) this.#failBy(status, "literals", at, 0);
      return;
    }
    // The sizes of the first three streams come first.
    this.#holdWithin("literals", at, 6, end);
    const [one, two, three] = [0, 2, 4].map((i) => this.#view.getUint16(at + i, true));
    const second = from + 6 + (one ?? 0);
    const third = second + (two ?? 0);
    const fourth = third + (three ?? 0);
    if (!one || !two || !three || fourth >= inputAt + end || size < 6) {
      this.#fail("literals", at, "needs four streams within the section");
    }
    const status = code.huffman4(
      from + 6,
      inputAt + end,
      to,
      size,
      bits,
      second,
      third,
      fourth,
    );
    if (status !== zstdStatus.ended) this.#failBy(status, "literals", at, 0);
  }

  #sequenceCount(end: number): number {
    const start = this.#at;
    this.#holdWithin("sequences", start, 1, end);
    const first = this.#bytes[start] ?? 0;
    const size = first < 128 ? 1 : first < 255 ? 2 : 3;
    this.#holdWithin("sequences", start, size, end);
    this.#at += size;
    const [, second = 0, third = 0] = this.#bytes.subarray(start, start + size);
    const count = first < 128
      ? first
      : first < 255
      ? (first - 128 << 8) + second
      : second + (third << 8) + 0x7f00;
    if (count > ZSTD_SEQUENCES) {
      this.#fail("sequences", start, `needs up to ${ZSTD_SEQUENCES}, found ${count}`);
    }
    return count;
  }

  #sequenceTables(end: number): void {
    const start = this.#at;
    this.#holdWithin("sequences", start, 1, end);
    const modes = this.#bytes[this.#at++] ?? 0;
    if (modes & 3) {
      this.#fail("sequences", start, `needs reserved bits of 0, found ${hex(modes, 2)}`);
    }
    sequenceTableNames.forEach((name, i) =>
      this.#sequenceTable(name, modes >> (6 - 2 * i) & 3, end)
    );
  }

  #sequenceTable(name: SequenceTableName, mode: number, end: number): void {
    const code = this.#codes[name];
    const table = zstdTables[name];
    const maker = this.#maker;
    const at = this.#at;
    switch (mode) {
      case 0:
        writeStateTable(maker, name, table, code.predefined, code.predefinedBits);
        this.#bits[name] = code.predefinedBits;
        break;
      case 1: {
        this.#holdWithin("sequences", at, 1, end);
        const symbol = this.#bytes[at] ?? 0;
        if (symbol >= code.bases.length) {
          this.#fail("sequences", at, `needs a ${code.name} code, found ${symbol}`);
        }
        writeSingleSymbol(maker, name, table, symbol);
        this.#bits[name] = 0;
        this.#at++;
        break;
      }
      case 2: {
        const input = { bytes: this.#bytes, at, end };
        const { counts, bits, at: next } = readDistribution(
          input,
          code.mostBits,
          code.bases.length,
        );
        writeStateTable(maker, name, table, counts, bits);
        this.#bits[name] = bits;
        this.#at = next;
        break;
      }
      default:
        if (this.#bits[name] < 0) {
          this.#fail("sequences", at, `needs a ${code.name} table of an earlier block`);
        }
    }
  }

  #holdWithin(field: string, at: number, size: number, end: number): void {
    if (at + size > end) {
      this.#fail(field, at, `needs ${size} bytes, the block ends at ${hex(end)}`);
    }
  }

  #fail(field: string, offset: number, problem: string): never {
    throw new FormatError({ structure: "zstd", field, offset }, problem);
  }

  #failBy(status: number, field: string, offset: number, most: number): never {
    switch (status) {
      case zstdStatus.noLiterals:
        return this.#fail(field, offset, "needs more literals than the block has");
      case zstdStatus.badDistance:
        return this.#fail(
          field,
          offset,
          "needs a match within what was unpacked, found one before its start",
        );
      case zstdStatus.tooLong:
        return this.#fail(field, offset, `needs to unpack to up to ${most} bytes, found more`);
      default:
        return this.#fail(field, offset, "needs bits that are used up exactly");
    }
  }
}
