import assert from "node:assert/strict";
import fc from "fast-check";
import {
  buildKallsyms,
  type BuiltSymbol,
  type KallsymsShape,
  segmentAddress,
} from "../../testdata/kallsyms_builder.ts";
import { findKallsyms, Kallsyms } from "./mod.ts";

/** Some 700 symbols as kernels have them: aliases, dots, capitals, local twins. */
function someSymbols(word: 4 | 8, perCpu: boolean, longNames = false): BuiltSymbol[] {
  const symbols: BuiltSymbol[] = perCpu
    ? [
      { address: 0n, type: "A", name: "__per_cpu_start" },
      { address: 0n, type: "A", name: "fixed_percpu_data" },
      { address: 0x1000n, type: "A", name: "per_cpu.device_list" },
    ]
    : [];
  const start = segmentAddress(word);
  symbols.push({ address: start, type: "T", name: "_stext" });
  symbols.push({ address: start, type: "T", name: "_text" });
  const words = ["read", "write", "init", "device", "handler", "struct", "page", "irq"];
  for (let i = 0; i < 700; i++) {
    const [a, b] = [words[i % 8], words[(i >> 3) % 8]];
    symbols.push({
      address: start + BigInt(0x40 + i * 0x1000 + (i % 5)),
      type: "TtDdbR"[i % 6] ?? "t",
      name: i % 90 === 0
        ? "__func__.0"
        : longNames && i % 100 === 7
        ? `Z${"QXJV".repeat(60)}${i}`
        : `${i % 3 ? "sys_" : "__"}${a}_of_${b}${i}`,
    });
  }
  return symbols;
}

const word64 = { word: 8, names: "tokens", align: 8 } as const;
const word32 = { word: 4, names: "tokens", align: 4 } as const;
const before = { order: "before", seqs: 0 } as const;

/** One shape for every way of writing the table that kernels for x86 have had. */
const shapes: Readonly<Record<string, KallsymsShape>> = {
  "2.6.0, 32 bits": {
    ...word32,
    ...before,
    names: "stems",
    addresses: "absolute",
    markerSize: 4,
  },
  "2.6.0, 64 bits": {
    ...word64,
    ...before,
    names: "stems",
    addresses: "absolute",
    markerSize: 8,
  },
  "2.6.12, 32 bits": { ...word32, ...before, addresses: "absolute", markerSize: 4 },
  "2.6.12, 64 bits": { ...word64, ...before, addresses: "absolute", markerSize: 8 },
  "4.9, 32 bits": { ...word32, ...before, addresses: "relative", markerSize: 4 },
  "4.9, 64 bits": {
    ...word64,
    ...before,
    addresses: "relative, per-CPU absolute",
    markerSize: 8,
  },
  "5.10, 64 bits": {
    ...word64,
    ...before,
    addresses: "relative, per-CPU absolute",
    markerSize: 4,
  },
  "5.10, 64 bits, absolute": { ...word64, ...before, addresses: "absolute", markerSize: 4 },
  "6.2 before its last change, 64 bits": {
    ...word64,
    order: "before",
    addresses: "relative, per-CPU absolute",
    markerSize: 4,
    seqs: 4,
  },
  "6.3, 64 bits": {
    ...word64,
    order: "before",
    addresses: "relative, per-CPU absolute",
    markerSize: 4,
    seqs: 3,
  },
  "6.3, 32 bits": { ...word32, order: "before", addresses: "relative", markerSize: 4, seqs: 3 },
  "6.12, 64 bits": {
    ...word64,
    order: "behind",
    addresses: "relative, per-CPU absolute",
    markerSize: 4,
    seqs: 3,
  },
  "6.12, 64 bits, absolute": {
    ...word64,
    order: "behind",
    addresses: "absolute",
    markerSize: 4,
    seqs: 3,
  },
  "6.15, 64 bits": {
    ...word64,
    order: "behind",
    addresses: "relative",
    markerSize: 4,
    seqs: 3,
  },
  "6.15, 32 bits": { ...word32, order: "behind", addresses: "relative", markerSize: 4, seqs: 3 },
  "7.0, 64 bits": {
    ...word64,
    order: "behind",
    addresses: "place-relative",
    markerSize: 4,
    seqs: 3,
    align: 4,
  },
  "7.0, 32 bits, relocatable": {
    ...word32,
    order: "behind",
    addresses: "place-relative",
    markerSize: 4,
    seqs: 3,
  },
  "7.0, 32 bits, not relocatable": {
    ...word32,
    order: "behind",
    addresses: "absolute",
    markerSize: 4,
    seqs: 3,
  },
};

const hasPerCpu = (shape: KallsymsShape) => shape.addresses === "relative, per-CPU absolute";

function found(bytes: Uint8Array): Kallsyms {
  const kallsyms = findKallsyms(bytes);
  assert.ok(kallsyms.found, kallsyms.found ? "" : kallsyms.reason);
  return kallsyms;
}

for (const [release, shape] of Object.entries(shapes)) {
  Deno.test(`the symbols of ${release} come out as they went in`, () => {
    const isLong = shape.order === "behind";
    const symbols = someSymbols(shape.word, hasPerCpu(shape), isLong);
    const { bytes, places } = buildKallsyms(symbols, shape);
    const kallsyms = found(bytes);
    const type = (s: BuiltSymbol) => shape.names === "stems" ? { ...s, type: "?" } : s;
    assert.deepEqual([...kallsyms.symbols()], symbols.map(type));
    for (const [name, at] of Object.entries(kallsyms.places)) {
      assert.equal(at, places[name], name);
    }
    const isTokens = shape.names === "tokens";
    const addresses = shape.addresses === "absolute" ? "kallsyms_addresses" : "kallsyms_offsets";
    for (const name of ["num_syms", "names", ...(isTokens ? ["markers", "token_table"] : [])]) {
      assert.ok(`kallsyms_${name}` in kallsyms.places);
    }
    assert.ok(addresses in kallsyms.places);
  });
}

Deno.test("the layout is told in words", () => {
  const layouts = Object.fromEntries(
    ["2.6.0, 32 bits", "2.6.12, 64 bits", "4.9, 64 bits", "6.15, 64 bits", "7.0, 64 bits"].map(
      (release) => {
        const shape = shapes[release];
        assert.ok(shape);
        const isLong = shape.order === "behind";
        const { bytes } = buildKallsyms(someSymbols(shape.word, hasPerCpu(shape), isLong), shape);
        return [release, found(bytes).layout];
      },
    ),
  );
  assert.deepEqual(layouts, {
    "2.6.0, 32 bits": "names without their common beginnings, absolute addresses before the names",
    "2.6.12, 64 bits":
      "token-compressed names, markers of 8 bytes, absolute addresses before the names",
    "4.9, 64 bits": "token-compressed names, markers of 8 bytes, offsets from a base, per-CPU " +
      "symbols absolute before the names",
    "6.15, 64 bits": "token-compressed names, lengths of up to two bytes, markers of 4 bytes, " +
      "offsets from a base behind the names",
    "7.0, 64 bits": "token-compressed names, lengths of up to two bytes, markers of 4 bytes, " +
      "offsets from their own place behind the names",
  });
});

function one(release: string): { kallsyms: Kallsyms; symbols: BuiltSymbol[]; bytes: Uint8Array } {
  const shape = shapes[release];
  assert.ok(shape);
  const symbols = someSymbols(shape.word, hasPerCpu(shape));
  const { bytes } = buildKallsyms(symbols, shape);
  return { kallsyms: found(bytes), symbols, bytes };
}

for (const release of ["2.6.0, 32 bits", "6.3, 64 bits"]) {
  Deno.test(`${release}: names have addresses, local twins several`, () => {
    const { kallsyms, symbols } = one(release);
    for (const { name } of symbols) {
      const addresses = symbols.filter((s) => s.name === name).map((s) => s.address);
      assert.equal(kallsyms.lookup(name), addresses[0], name);
      assert.deepEqual(kallsyms.lookupAll(name), addresses, name);
    }
    assert.equal(kallsyms.lookupAll("__func__.0").length, 8);
    for (const name of ["", "_stex", "_stextt", "no_such_symbol"]) {
      assert.equal(kallsyms.lookup(name), undefined, name);
    }
  });
}

for (const release of ["2.6.12, 32 bits", "6.12, 64 bits", "7.0, 64 bits"]) {
  Deno.test(`${release}: an address belongs to the last symbol before it`, () => {
    const { kallsyms, symbols } = one(release);
    const kernel = symbols.filter((s) => s.type !== "A");
    const first = kernel[0]?.address ?? 0n;
    const last = kernel.at(-1)?.address ?? 0n;
    fc.assert(
      fc.property(fc.bigInt({ min: first, max: last + 0xff_ffffn }), (address) => {
        const below = kernel.filter((s) => s.address <= address);
        const nearest = below.at(-1)?.address;
        const symbol = kernel.find((s) => s.address === nearest);
        assert.ok(symbol);
        assert.deepEqual(kallsyms.nearest(address), { symbol, offset: address - symbol.address });
      }),
      { seed: 7, numRuns: 300 },
    );
    assert.equal(kallsyms.nearest(first)?.symbol.name, "_stext");
    assert.equal(kallsyms.nearest(first - 1n), undefined);
    assert.equal(kallsyms.nearest(last + 0x100_0000n), undefined);
    assert.equal(kallsyms.nearest(0x1234n), undefined);
    assert.equal(kallsyms.nearest((1n << 64n) - 1n), undefined);
  });
}

Deno.test("places in the table have an address, a type and a name each", () => {
  const { kallsyms, symbols } = one("6.12, 64 bits");
  const i = symbols.findIndex((s) => s.name === "_text");
  assert.equal(kallsyms.address(i), segmentAddress(8));
  assert.equal(kallsyms.type(i), "T");
  assert.equal(kallsyms.name(i), "_text");
  assert.equal(kallsyms.count, symbols.length);
  for (const index of [-1, kallsyms.count, NaN]) assert.equal(kallsyms.symbol(index), undefined);
});

Deno.test("without an ELF header the word size is tried and the caller's span taken", () => {
  for (const release of ["2.6.12, 32 bits", "6.12, 64 bits"]) {
    const { bytes, symbols } = one(release);
    bytes.fill(0, 0, 4);
    const kallsyms = findKallsyms(bytes);
    assert.ok(kallsyms.found);
    assert.equal(kallsyms.count, symbols.length);
    const elsewhere = findKallsyms(bytes, { loadSpan: { start: 0x1000n, end: 0x2000n } });
    assert.ok(!elsewhere.found);
    assert.match(elsewhere.reason, /no addresses that ascend and lie in the kernel/);
  }
});

Deno.test("offsets from their own place need the program headers, or the caller's", () => {
  const { bytes, symbols } = one("7.0, 64 bits");
  bytes.fill(0, 0, 4);
  assert.equal(findKallsyms(bytes).found, false);
  const part = { offset: 0x1000, vaddr: segmentAddress(8), filesz: bytes.length - 0x1000 };
  const kallsyms = findKallsyms(bytes, { is64: true, phdrs: [part] });
  assert.ok(kallsyms.found);
  assert.deepEqual([...kallsyms.symbols()], symbols);
});

Deno.test("no table and a table that cannot be read are told apart", async (t) => {
  await t.step("nothing there", () => {
    const absent = findKallsyms(new Uint8Array(100_000));
    assert.ok(!absent.found);
    assert.equal(absent.isDamaged, false);
    assert.equal(findKallsyms(new Uint8Array(0)).found, false);
  });
  const shape = shapes["6.12, 64 bits"];
  assert.ok(shape);
  await t.step("names that do not agree with their markers", () => {
    const { bytes, places } = buildKallsyms(someSymbols(8, true), shape);
    const names = places["kallsyms_names"] ?? 0;
    bytes[names] = 0;
    const absent = findKallsyms(bytes);
    assert.ok(!absent.found && absent.isDamaged);
    assert.equal(absent.at, places["kallsyms_token_table"]);
    assert.match(absent.reason, /no names before it that agree with their markers/);
  });
  await t.step("addresses that do not ascend", () => {
    const { bytes, places } = buildKallsyms(someSymbols(8, true), shape);
    bytes.fill(
      0x77,
      (places["kallsyms_offsets"] ?? 0) + 100,
      (places["kallsyms_offsets"] ?? 0) + 120,
    );
    const absent = findKallsyms(bytes);
    assert.ok(!absent.found && absent.isDamaged);
    assert.match(absent.reason, /its 705 names have no addresses that ascend/);
  });
  await t.step("a token table without its index is no token table", () => {
    const { bytes, places } = buildKallsyms(someSymbols(8, true), shape);
    bytes.fill(0xee, (places["kallsyms_token_index"] ?? 0) + 200).fill(0, 0, 64);
    const absent = findKallsyms(bytes);
    assert.ok(!absent.found && !absent.isDamaged);
  });
});

Deno.test("with bytes changed or the end cut off, the answer is a table or a reason", () => {
  for (const release of ["2.6.0, 32 bits", "6.3, 64 bits", "7.0, 64 bits"]) {
    const shape = shapes[release];
    assert.ok(shape);
    const { bytes: whole, places } = buildKallsyms(
      someSymbols(shape.word, hasPerCpu(shape)),
      shape,
    );
    const first = Math.min(...Object.values(places));
    const at = fc.oneof(fc.nat(127), fc.integer({ min: first, max: whole.length - 1 }));
    const change = fc.tuple(at, fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(
        fc.array(change, { minLength: 1, maxLength: 4 }),
        fc.option(fc.integer({ min: first, max: whole.length })),
        (changes, cut) => {
          const bytes = whole.slice(0, cut ?? whole.length);
          for (const [place, value] of changes) {
            if (place < bytes.length) bytes[place] = value;
          }
          const kallsyms = findKallsyms(bytes);
          if (!kallsyms.found) return kallsyms.reason.length > 0;
          let last = 0n;
          for (const { address } of kallsyms.symbols()) {
            assert.ok(address >= last);
            last = address;
          }
          kallsyms.lookup("_text");
          return true;
        },
      ),
      { seed: 12, numRuns: 400 },
    );
  }
});

Deno.test("a file whose names start anew everywhere is given up in time", () => {
  // Names of eight bytes, the last four of each a number of symbols, and markers
  // that agree with them from wherever one starts; only the end never fits.
  const shape = shapes["2.6.12, 32 bits"];
  assert.ok(shape);
  const { bytes, places } = buildKallsyms(someSymbols(4, false), shape);
  const tail = bytes.subarray(places["kallsyms_token_table"]);
  const count = 0x60000;
  const names = 8 * (count + 0x8000);
  const file = new Uint8Array(names + 64 + 4 * (count / 256) + tail.length);
  for (let at = 0; at < names; at += 8) file.set([7, 0x54, 0x61, 0x61, 0, 0, 6, 0], at);
  const markers = new DataView(file.buffer, names + 64);
  for (let i = 0; i < count / 256; i++) markers.setUint32(4 * i, 2048 * i, true);
  file.set(tail, names + 64 + 4 * (count / 256));
  const start = performance.now();
  const absent = findKallsyms(file, { is64: false });
  assert.ok(!absent.found && absent.isDamaged);
  assert.ok(performance.now() - start < 5000);
});

Deno.test("a file whose old tables start everywhere is given up in time", () => {
  // Sixteen words that are names and ascending addresses, a count that is two
  // names, and a name: every 72 bytes a table of 65,539 symbols seems to start.
  const block = new Uint8Array(72);
  for (let at = 0; at < 64; at += 4) block.set([1, 0x61, 0x61, 0], at);
  block.set([3, 0, 1, 0, 0, 0x61, 0x61, 0], 64);
  const file = new Uint8Array(block.length * 50_000);
  for (let at = 0; at < file.length; at += block.length) file.set(block, at);
  const start = performance.now();
  assert.equal(findKallsyms(file, { is64: false }).found, false);
  assert.ok(performance.now() - start < 5000);
});

Deno.test("a file of nothing but rows of digits is given up in time", () => {
  const row = new TextEncoder().encode("0\x001\x002\x003\x004\x005\x006\x007\x008\x009\0");
  const file = new Uint8Array(row.length << 22);
  for (let at = 0; at < file.length; at += row.length) file.set(row, at);
  const start = performance.now();
  assert.equal(findKallsyms(file).found, false);
  assert.ok(performance.now() - start < 5000);
});
