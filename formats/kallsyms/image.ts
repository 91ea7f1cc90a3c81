/**
 * The unpacked kernel as the search for symbols sees it: bytes, word size and
 * where in memory they belong.
 *
 * @module
 */

/** A stretch of the file that is loaded; an ELF program header has these fields. */
export interface LoadedPart {
  /** Type of the program header; only PT_LOAD (1) counts, and so does no type. */
  readonly type?: number;
  /** Where it starts, in bytes from the start of the file. */
  readonly offset: number | bigint;
  /** Virtual address of its first byte. */
  readonly vaddr: number | bigint;
  /** Bytes of it in the file. */
  readonly filesz: number | bigint;
  /** Bytes of it in memory; default as in the file. */
  readonly memsz?: number | bigint;
}

/** What the caller knows of the kernel already. */
export interface KallsymsHint {
  /** Whether pointers are 8 bytes; default: as the ELF header says. */
  readonly is64?: boolean;
  /** Virtual addresses from the kernel's first byte up to, not including, the end. */
  readonly loadSpan?: { readonly start: bigint; readonly end: bigint };
  /** The program headers; default: those of the ELF file. */
  readonly phdrs?: readonly LoadedPart[];
}

/** The kernel, prepared for the search. */
export interface Image {
  /** The unpacked kernel. */
  readonly bytes: Uint8Array;
  /** The same for reading words. */
  readonly view: DataView;
  /** Bytes of a pointer. */
  readonly word: 4 | 8;
  /** Where the parts of the file are loaded. */
  readonly parts: readonly LoadedPart[];
  /** Virtual addresses the kernel's symbols should lie in; end not included. */
  readonly span: { readonly start: bigint; readonly end: bigint };
}

/** Prepares a kernel for the search, for one word size. */
export function prepare(bytes: Uint8Array, word: 4 | 8, hint: KallsymsHint): Image {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts = hint.phdrs?.filter(({ type = 1 }) => type === 1) ?? elfParts(view);
  return { bytes, view, word, parts, span: hint.loadSpan ?? spanOf(parts, word) };
}

/** Word sizes to try: the one that is known, else both. */
export function wordSizes(bytes: Uint8Array, hint: KallsymsHint): readonly (4 | 8)[] {
  if (hint.is64 !== undefined) return [hint.is64 ? 8 : 4];
  if (isElf(bytes)) return [bytes[4] === 2 ? 8 : 4];
  return [8, 4];
}

/** The virtual address of a byte of the file; undefined if it is not loaded. */
export function addressOf(image: Image, at: number): bigint | undefined {
  for (const { offset, vaddr, filesz } of image.parts) {
    const into = BigInt(at) - BigInt(offset);
    if (into >= 0n && into < BigInt(filesz)) return BigInt(vaddr) + into;
  }
  return undefined;
}

function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/** PT_LOAD headers, no more of ELF than that; none where there is no ELF header. */
function elfParts(view: DataView): LoadedPart[] {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  if (!isElf(bytes) || bytes.length < 64) return [];
  const is64 = bytes[4] === 2;
  const word = (at: number) => is64 ? view.getBigUint64(at, true) : view.getUint32(at, true);
  const table = Number(word(is64 ? 0x20 : 0x1c));
  const size = view.getUint16(is64 ? 0x36 : 0x2a, true);
  const count = view.getUint16(is64 ? 0x38 : 0x2c, true);
  const parts: LoadedPart[] = [];
  for (let i = 0; i < count; i++) {
    const at = table + i * size;
    if (size < (is64 ? 56 : 32) || at + size > bytes.length) break;
    if (view.getUint32(at, true) !== 1) continue;
    parts.push({
      offset: word(at + (is64 ? 0x08 : 0x04)),
      vaddr: word(at + (is64 ? 0x10 : 0x08)),
      filesz: word(at + (is64 ? 0x20 : 0x10)),
      memsz: word(at + (is64 ? 0x28 : 0x14)),
    });
  }
  return parts;
}

/**
 * Where symbols should lie: between the first and the last loaded byte, or in
 * the upper part of the address space where nothing is known. Parts at 0 are
 * x86-64's per-CPU area, which is not where it says.
 */
function spanOf(parts: readonly LoadedPart[], word: 4 | 8): Image["span"] {
  const ranges = parts.map(({ vaddr, filesz, memsz = filesz }) => ({
    start: BigInt(vaddr),
    end: BigInt(vaddr) + BigInt(memsz),
  })).filter(({ start }) => start > 0n);
  if (ranges.length === 0) {
    return word === 8
      ? { start: 0xffff_8000_0000_0000n, end: 1n << 64n }
      : { start: 0x4000_0000n, end: 1n << 32n };
  }
  const start = ranges.reduce((least, r) => r.start < least ? r.start : least, 1n << 64n);
  // _end itself, and what the linker script puts behind it, is no part of the kernel any more.
  const end = ranges.reduce((most, r) => r.end > most ? r.end : most, 0n) + 0x100_0000n;
  return { start, end };
}
