/**
 * Builds the symbol table of a kernel in every way kernels have had, in a
 * stripped ELF file with one segment and noise around the table.
 *
 * Written after scripts/kallsyms.c of Linux 2.6.0, 2.6.12, 4.9, 5.10, 6.3, 6.12
 * and 7.0, with tokens of its own choice.
 */

/** A symbol to put in. */
export interface BuiltSymbol {
  address: bigint;
  type: string;
  name: string;
}

/** How to write the table. */
export interface KallsymsShape {
  word: 4 | 8;
  names: "stems" | "tokens";
  addresses: "absolute" | "relative" | "relative, per-CPU absolute" | "place-relative";
  /** Where the addresses stand. */
  order: "before" | "behind";
  markerSize: 4 | 8;
  /** Bytes a symbol of kallsyms_seqs_of_names; it stands after the markers, or last. */
  seqs: 0 | 3 | 4;
  /** What labels are aligned to; a word until 6.x, 4 since 7.0. */
  align: 4 | 8;
}

/** The table and what is known of it. */
export interface BuiltKallsyms {
  bytes: Uint8Array;
  places: Record<string, number>;
}

/** Where the segment starts in the file and in memory. */
const OFFSET = 0x1000;
export const segmentAddress = (word: 4 | 8): bigint =>
  word === 8 ? 0xffff_ffff_8100_0000n : 0xc100_0000n;

/** Codes that no name uses as a character, and what they stand for. */
const tokens = new Map<number, string>(
  ["Tsys_", "t__", "device_", "init", "_of_", "Dper_cpu", "__", "read", "struct", "handler"]
    .map((token, i) => [0xff - i, token]),
);
for (let code = 0; code < 0x100; code++) {
  const isCharacter = /[\w.$?]/.test(String.fromCharCode(code)) && code < 0x80;
  if (isCharacter) tokens.set(code, String.fromCharCode(code));
  else if (!tokens.has(code)) tokens.set(code, code % 3 === 0 ? "" : `unused${code}`);
}

/** Names by the longest token that fits. */
function compress(text: string): number[] {
  const codes: number[] = [];
  for (let at = 0; at < text.length;) {
    let best = text.charCodeAt(at);
    for (const [code, token] of tokens) {
      if (token.length > (tokens.get(best)?.length ?? 0) && text.startsWith(token, at)) best = code;
    }
    codes.push(best);
    at += tokens.get(best)?.length ?? 1;
  }
  return codes;
}

/** Bytes that look like code: nothing of a table, and the same every time. */
function noise(length: number): number[] {
  return Array.from({ length }, (_, i) => (i * 197 + (i >> 3) * 31 + 0x48) & 0xff);
}

export function buildKallsyms(
  symbols: readonly BuiltSymbol[],
  shape: KallsymsShape,
): BuiltKallsyms {
  const { word, align, order } = shape;
  const out: number[] = [...new Array(OFFSET).fill(0), ...noise(0x777)];
  const places: Record<string, number> = {};
  const label = (name: string) => {
    while (out.length % align) out.push(0);
    places[name] = out.length;
  };
  const put = (value: bigint | number, size: number) => {
    for (let i = 0; i < size; i++) out.push(Number(BigInt(value) >> BigInt(8 * i) & 0xffn));
  };
  const base = symbols.find((s) => s.type !== "A")?.address ?? 0n;

  const putAddresses = () => {
    if (shape.addresses === "absolute") {
      label("kallsyms_addresses");
      for (const { address } of symbols) put(address, word);
      return;
    }
    label("kallsyms_offsets");
    for (const { address, type } of symbols) {
      if (shape.addresses === "place-relative") {
        put(address - (segmentAddress(word) + BigInt(out.length - OFFSET)), 4);
      } else if (shape.addresses === "relative") put(address - base, 4);
      else put(type === "A" ? address : base - address - 1n, 4);
    }
    if (shape.addresses === "place-relative") return;
    label("kallsyms_relative_base");
    put(base, word);
  };
  const putSeqs = () => {
    if (shape.seqs === 0) return;
    label("kallsyms_seqs_of_names");
    const byName = symbols.map((_, i) => i)
      .sort((a, b) => (symbols[a]?.name ?? "") < (symbols[b]?.name ?? "") ? -1 : 1);
    for (const i of byName) {
      if (shape.seqs === 4) put(i, 4);
      else out.push(i >> 16, (i >> 8) & 0xff, i & 0xff);
    }
  };

  if (order === "before") putAddresses();
  label("kallsyms_num_syms");
  put(symbols.length, shape.markerSize);
  label("kallsyms_names");
  const start = out.length;
  const markers: number[] = [];
  let last = "";
  for (const [i, { type, name }] of symbols.entries()) {
    if (i % 256 === 0) markers.push(out.length - start);
    if (shape.names === "stems") {
      let stem = 0;
      while (stem < name.length && name[stem] === last[stem]) stem++;
      out.push(stem, ...new TextEncoder().encode(name.slice(stem)), 0);
      last = name;
    } else {
      const codes = compress(type + name);
      if (codes.length < 0x80) out.push(codes.length);
      else out.push((codes.length & 0x7f) | 0x80, codes.length >> 7);
      out.push(...codes);
    }
  }
  if (shape.names === "tokens") {
    label("kallsyms_markers");
    for (const marker of markers) put(marker, shape.markerSize);
    if (order === "before") putSeqs();
    label("kallsyms_token_table");
    const index: number[] = [];
    const table = out.length;
    for (let code = 0; code < 256; code++) {
      index.push(out.length - table);
      out.push(...new TextEncoder().encode(tokens.get(code)), 0);
    }
    label("kallsyms_token_index");
    for (const offset of index) put(offset, 2);
    if (order === "behind") {
      putAddresses();
      putSeqs();
    }
  }
  out.push(...noise(0x333));
  const bytes = Uint8Array.from(out);
  putElfHeader(bytes, word);
  return { bytes, places };
}

/** An ELF header and one PT_LOAD of the whole file from OFFSET on. */
function putElfHeader(bytes: Uint8Array, word: 4 | 8): void {
  const view = new DataView(bytes.buffer);
  const is64 = word === 8;
  const address = (at: number, value: bigint | number) =>
    is64 ? view.setBigUint64(at, BigInt(value), true) : view.setUint32(at, Number(value), true);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, is64 ? 2 : 1, 1, 1]);
  address(is64 ? 0x20 : 0x1c, 64);
  view.setUint16(is64 ? 0x36 : 0x2a, is64 ? 56 : 32, true);
  view.setUint16(is64 ? 0x38 : 0x2c, 1, true);
  view.setUint32(64, 1, true);
  const fields = is64 ? [0x08, 0x10, 0x20, 0x28] : [0x04, 0x08, 0x10, 0x14];
  const values = [OFFSET, segmentAddress(word), bytes.length - OFFSET, 0x80_0000];
  fields.forEach((field, i) => address(64 + field, values[i] ?? 0));
}
