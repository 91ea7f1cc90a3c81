import assert from "node:assert/strict";
import fc from "fast-check";
import { buildBtf } from "../../testdata/btf_builder.ts";
import { FormatError } from "../errors.ts";
import { type BtfType, findBtf, layoutToFields, openBtf } from "./mod.ts";

const data = (name: string) => new URL(`../../testdata/btf/${name}`, import.meta.url);
const sample = () => Deno.readFileSync(data("sample.btf"));

/** A type as bpftool's raw dump writes it. */
function dump(type: BtfType): string {
  const q = (name: string) => `'${name || "(anon)"}'`;
  const head = `[${type.id}] ${type.kind} ${q(type.name)}`;
  const linkage = ["static", "global", "extern"];
  switch (type.kind) {
    case "INT": {
      const encoding = type.encoding === "unsigned" ? "(none)" : type.encoding.toUpperCase();
      return `${head} size=${type.size} bits_offset=${type.bitOffset} nr_bits=${type.bits} ` +
        `encoding=${encoding}`;
    }
    case "ARRAY":
      return `${head} type_id=${type.type} index_type_id=${type.indexType} ` +
        `nr_elems=${type.elements}`;
    case "STRUCT":
    case "UNION":
      return [
        `${head} size=${type.size} vlen=${type.members.length}`,
        ...type.members.map((m) =>
          `\t${q(m.name)} type_id=${m.type} bits_offset=${m.bitOffset}` +
          (m.bitSize === undefined ? "" : ` bitfield_size=${m.bitSize}`)
        ),
      ].join("\n");
    case "ENUM":
    case "ENUM64": {
      const sign = type.values.some((v) => v.value < 0n) ? "SIGNED" : "UNSIGNED";
      return [
        `${head} encoding=${sign} size=${type.size} vlen=${type.values.length}`,
        ...type.values.map((v) =>
          `\t${q(v.name)} val=${v.value}${type.kind === "ENUM64" ? "ULL" : ""}`
        ),
      ].join("\n");
    }
    case "FWD":
      return `${head} fwd_kind=${type.of}`;
    case "FUNC":
      return `${head} type_id=${type.type} linkage=${linkage[type.linkage]}`;
    case "FUNC_PROTO":
      return [
        `${head} ret_type_id=${type.type} vlen=${type.parameters.length}`,
        ...type.parameters.map((p) => `\t${q(p.name)} type_id=${p.type}`),
      ].join("\n");
    case "PTR":
    case "TYPEDEF":
    case "VOLATILE":
    case "CONST":
      return `${head} type_id=${type.type}`;
    default:
      throw new Error(`${type.kind} is not in the sample`);
  }
}

Deno.test("every type of a compiled sample decodes to what bpftool dumps", () => {
  const btf = openBtf(sample());
  const types = Array.from({ length: btf.count }, (_, i) => dump(btf.type(i + 1)));
  assert.equal(types.join("\n"), Deno.readTextFileSync(data("sample.bpftool.txt")).trimEnd());
  assert.equal(btf.complaint, undefined);
});

Deno.test("a structure prints as pahole prints it, offsets, sizes and columns", () => {
  const ours = openBtf(sample()).printStruct("sample")?.split("\n") ?? [];
  const theirs = Deno.readTextFileSync(data("sample.pahole.txt")).trimEnd().split("\n");
  // Holes and sums are worded otherwise; and where pahole's text is no C, ours is.
  const fixed = new Map([
    ["const const char  *        text;", "const char *const          text;"],
    ["(*handlers)(void)[4];", "(*handlers[4])(void);"],
    ["const void  *,", "const void *,"],
  ]);
  const members = (lines: readonly string[]) =>
    lines.filter((line) => line !== "" && !/^\t+\/\*/.test(line)).map((line) => {
      for (const [wrong, right] of fixed) line = line.replace(wrong, right);
      return line.replace(/ +(?=\/\*)/, "  ");
    });
  assert.deepEqual(members(ours), members(theirs));
});

Deno.test("holes, padding and size stand where they are", () => {
  assert.equal(
    openBtf(sample()).printStruct("struct entry"),
    `struct entry {
\tu64                        addr;                 /*     0     8 */
\tu64                        size;                 /*     8     8 */
\tu32                        type;                 /*    16     4 */

\t/* size: 20, members: 3 */
};`,
  );
  const text = openBtf(sample()).printStruct("sample") ?? "";
  assert.match(text, /first; .*\n\n\t\/\* hole of 3 bytes \*\/\n\n.*aligned;/);
  assert.match(text, /straddles:20; .*\n\n\t\/\* hole of 37 bits \*\/\n\n/);
  assert.match(
    text,
    /\/\* size: 240, members: 17, holes: 3, sum holes: 93 bits, padding: 7 \*\//,
  );
});

Deno.test("a layout tells path, place, size and type at every depth", () => {
  const layout = openBtf(sample()).structLayout("sample");
  assert.ok(layout);
  assert.deepEqual({ ...layout, members: layout.members.length }, {
    kind: "struct",
    name: "sample",
    size: 240,
    members: 17,
  });
  const fields = layoutToFields(layout, { arrays: "once" });
  assert.deepEqual(
    fields.map((f) =>
      `${f.path} ${f.at}${f.bitSize ? `:${f.bitOffset}+${f.bitSize}` : ""} ${f.size} ${f.type}`
    ),
    [
      "first 0 1 u8",
      "aligned 4 4 u32",
      "low 8:0+3 1 u8",
      "middle 8:3+4 1 u8",
      "straddles 8:7+20 4 u32",
      "whole 16 8 u64",
      "half 16 8 u32[2]",
      "named.count.counter 24 4 int",
      "named.state 28 4 enum { ... }",
      "table[].addr 32 8 u64",
      "table[].size 40 8 u64",
      "table[].type 48 4 u32",
      "text 152 8 const char *const",
      "callback 160 8 int (*)(struct sample *, const void *, ...)",
      "handlers 168 32 void (*[4])(void)",
      "later 200 8 struct later *",
      "colour 208 4 enum colour",
      "wide 216 8 enum wide",
      "ratio 224 8 double",
      "flag 232 1 volatile _Bool",
      "tail 233 0 u8[0]",
    ],
  );
  const each = layoutToFields(layout);
  assert.deepEqual(each.find((f) => f.path === "table[5].type"), {
    path: "table[5].type",
    at: 32 + 5 * 20 + 16,
    size: 4,
    type: "u32",
  });
  assert.equal(each.length, fields.length + 5 * 3);
});

Deno.test("structures are found by tag, by keyword and tag, and by typedef", () => {
  const btf = openBtf(sample());
  assert.equal(btf.structLayout("struct sample")?.size, 240);
  assert.equal(btf.structLayout("atomic_t")?.size, 4);
  assert.equal(btf.structLayout("union sample"), undefined);
  assert.equal(btf.structLayout("colour"), undefined);
  assert.equal(btf.structLayout(""), undefined);
  assert.equal(btf.printStruct("no_such"), undefined);
});

Deno.test("expanded, named structures are printed with their members", () => {
  const text = openBtf(sample()).printStruct("sample", { expand: true }) ?? "";
  const lines = text.split("\n").map((line) => line.trim().replace(/ +/g, " "));
  const start = lines.indexOf("struct entry {");
  assert.deepEqual(lines.slice(start + 1, start + 5), [
    "u64 addr; /* 32 8 */",
    "u64 size; /* 40 8 */",
    "u32 type; /* 48 4 */",
    "} table[6]; /* 32 120 */",
  ]);
});

Deno.test("kinds the sample lacks decode too", () => {
  const btf = openBtf(buildBtf([
    { kind: "FLOAT", name: "double", word: 8 },
    { kind: "TYPE_TAG", name: "user", word: 1 },
    { kind: "PTR", word: 2 },
    { kind: "VAR", name: "jiffies", word: 1, tail: [1] },
    { kind: "DATASEC", name: ".data", word: 64, tail: [4, 16, 8] },
    { kind: "DECL_TAG", name: "bpf_kfunc", word: 7, tail: [-1] },
    { kind: "FUNC", name: "f", word: 8, vlen: 2 },
    { kind: "FUNC_PROTO" },
    { kind: "RESTRICT", word: 3 },
    { kind: "FWD", name: "u", flag: true },
    { kind: "ENUM64", name: "e", word: 8, flag: true, tail: ["LEAST", 0, 0x80000000] },
    { kind: "ENUM", name: "c", word: 1, tail: ["MOST", 0xffffffff] },
  ]));
  assert.deepEqual(Array.from({ length: 13 }, (_, id) => btf.type(id)), [
    { id: 0, name: "", kind: "VOID" },
    { id: 1, name: "double", kind: "FLOAT", size: 8 },
    { id: 2, name: "user", kind: "TYPE_TAG", type: 1 },
    { id: 3, name: "", kind: "PTR", type: 2 },
    { id: 4, name: "jiffies", kind: "VAR", type: 1, linkage: 1 },
    {
      id: 5,
      name: ".data",
      kind: "DATASEC",
      size: 64,
      entries: [{ type: 4, offset: 16, size: 8 }],
    },
    { id: 6, name: "bpf_kfunc", kind: "DECL_TAG", type: 7, component: -1 },
    { id: 7, name: "f", kind: "FUNC", type: 8, linkage: 2 },
    { id: 8, name: "", kind: "FUNC_PROTO", type: 0, parameters: [] },
    { id: 9, name: "", kind: "RESTRICT", type: 3 },
    { id: 10, name: "u", kind: "FWD", of: "union" },
    {
      id: 11,
      name: "e",
      kind: "ENUM64",
      size: 8,
      values: [{ name: "LEAST", value: -(1n << 63n) }],
    },
    { id: 12, name: "c", kind: "ENUM", size: 1, values: [{ name: "MOST", value: 0xffffffffn }] },
  ]);
  assert.equal(btf.declare(9, "p"), "double __user *restrict p");
});

Deno.test("a bit field of BTF before 5.0 has its width in its integer type", () => {
  const btf = openBtf(buildBtf([
    { kind: "INT", name: "unsigned int", word: 4, tail: [3] },
    { kind: "STRUCT", name: "old", word: 4, tail: ["a", 1, 0, "b", 1, 3] },
  ]));
  assert.deepEqual(
    btf.structLayout("old")?.members.map((m) => [m.at, m.bitOffset, m.bitSize]),
    [[0, 0, 3], [0, 3, 3]],
  );
});

Deno.test("pointers are as long as the kernel's long, or as the caller says", () => {
  const long = { kind: "INT", name: "long unsigned int", word: 4, tail: [32] } as const;
  const pointer = { kind: "PTR" } as const;
  assert.equal(openBtf(buildBtf([pointer, long])).sizeOf(1), 4);
  assert.equal(openBtf(buildBtf([pointer])).sizeOf(1), 8);
  assert.equal(openBtf(buildBtf([pointer]), { pointerSize: 4 }).sizeOf(1), 4);
});

Deno.test("kinds younger than this reader are passed over where the file tells their length", () => {
  const rows = [
    { kind: "INT", name: "int", word: 4, tail: [0x01000020] },
    { kind: 20, vlen: 2, tail: [1, 2, 3, 4, 5] },
    { kind: "TYPEDEF", name: "after", word: 1 },
  ] as const;
  const lengths = Array.from(
    { length: 21 },
    (_, i): [number, number] => i === 20 ? [4, 8] : [0, 0],
  );
  const told = openBtf(buildBtf(rows, lengths));
  assert.equal(told.count, 3);
  assert.equal(told.type(2).kind, "UNKNOWN");
  assert.equal(told.sizeOf(3), 4);
  const untold = openBtf(buildBtf(rows));
  assert.equal(untold.count, 1);
  assert.equal(
    untold.complaint?.message,
    "btf_type.[2] at 0x28: is of kind 20, whose length is not known",
  );
});

Deno.test("circles, absurd sizes and dangling ids are format errors", async (t) => {
  const int = { kind: "INT", name: "int", word: 4, tail: [0x01000020] } as const;
  const cases = {
    "a typedef of itself": () =>
      openBtf(buildBtf([{ kind: "TYPEDEF", name: "t", word: 1 }])).structLayout("t"),
    "a pointer to itself": () => openBtf(buildBtf([{ kind: "PTR", word: 1 }])).declare(1),
    "a structure within itself": () =>
      openBtf(buildBtf([{ kind: "STRUCT", name: "s", word: 4, tail: ["s", 1, 0] }]))
        .structLayout("s"),
    "a structure within itself, printed": () =>
      openBtf(buildBtf([{ kind: "STRUCT", name: "s", word: 4, tail: ["s", 1, 0] }]))
        .printStruct("s", { expand: true }),
    "an array of itself": () => openBtf(buildBtf([{ kind: "ARRAY", tail: [1, 1, 1] }])).sizeOf(1),
    "an array of 2^64 bytes": () =>
      openBtf(buildBtf([int, { kind: "ARRAY", tail: [1, 1, 0xffffffff] }, {
        kind: "ARRAY",
        tail: [2, 1, 0xffffffff],
      }])).sizeOf(3),
    "2^31 members by doubling": () =>
      openBtf(buildBtf(Array.from({ length: 31 }, (_, i) => ({
        kind: "STRUCT",
        name: `s${i}`,
        word: 4,
        tail: ["a", i + 2, 0, "b", i + 2, 0],
      })))).structLayout("s0"),
    "an array of structures of too many leaves": () => {
      const btf = openBtf(buildBtf([
        int,
        { kind: "STRUCT", name: "leaf", word: 4, tail: ["x", 1, 0] },
        { kind: "ARRAY", tail: [2, 1, 1 << 20] },
        { kind: "STRUCT", name: "many", word: 4 << 20, tail: ["leaves", 3, 0] },
      ]));
      const layout = btf.structLayout("many");
      assert.ok(layout);
      layoutToFields(layout);
    },
    "prototypes within prototypes": () =>
      openBtf(buildBtf([{ kind: "PTR", word: 2 }, {
        kind: "FUNC_PROTO",
        tail: ["a", 1, "b", 1, "c", 1],
      }])).declare(1),
    "a member of no type": () =>
      openBtf(buildBtf([{ kind: "STRUCT", name: "s", word: 4, tail: ["x", 99, 0] }]))
        .structLayout("s"),
    "an id past the end": () => openBtf(buildBtf([int])).type(2),
    "a negative id": () => openBtf(buildBtf([int])).type(-1),
    "a name past the names": () =>
      openBtf(buildBtf([{ kind: "STRUCT", name: "s", word: 4, tail: [0x7fffffff, 0, 0] }]))
        .structLayout("s"),
    "no BTF at all": () => openBtf(new Uint8Array(64)),
    "big-endian BTF": () => openBtf(Uint8Array.of(0xeb, 0x9f, 1, ...new Uint8Array(40))),
    "nothing": () => openBtf(new Uint8Array(0)),
  };
  for (const [name, act] of Object.entries(cases)) {
    await t.step(name, () => assert.throws(act, FormatError));
  }
});

/** Everything that can be asked of BTF. */
function exercise(bytes: Uint8Array): void {
  const btf = openBtf(bytes);
  for (let id = 0; id <= btf.count; id++) {
    for (const ask of [() => btf.type(id), () => btf.sizeOf(id), () => btf.declare(id, "x")]) {
      try {
        ask();
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    }
  }
  const layout = btf.structLayout("sample");
  if (layout) layoutToFields(layout);
  btf.printStruct("sample", { expand: true });
}

Deno.test("cut at any length, BTF opens or is a format error", () => {
  const whole = sample();
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => exercise(whole.slice(0, length)), FormatError);
  }
  exercise(whole);
});

Deno.test("with any bytes changed, BTF gives values or format errors", () => {
  const whole = sample();
  const change = fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      const bytes = whole.slice();
      for (const [at, value] of changes) bytes[at] = value;
      try {
        exercise(bytes);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    }),
    { seed: 20, numRuns: 3000 },
  );
});

Deno.test("BTF is found by its section, by its header, and the longest wins", () => {
  const small = buildBtf([{ kind: "INT", name: "int", word: 4, tail: [32] }]);
  const large = sample();
  const file = new Uint8Array(9000).fill(0x9f);
  file.set(small, 101);
  file.set(large, 4003);
  file.set([0x9f, 0xeb, 1, 0, 24], 8990);
  assert.deepEqual(findBtf(file), { offset: 4003, length: large.length });
  assert.deepEqual(findBtf(file, [{ name: ".BTF", offset: 101, size: small.length }]), {
    offset: 101,
    length: small.length,
  });
  assert.deepEqual(findBtf(file, [{ name: ".BTF", offset: 8000, size: 9000 }]), {
    offset: 4003,
    length: large.length,
  });
  assert.equal(findBtf(new Uint8Array(9000).fill(0x9f)), undefined);
  assert.equal(findBtf(new Uint8Array(0)), undefined);
});
