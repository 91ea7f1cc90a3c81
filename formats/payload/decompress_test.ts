import assert from "node:assert/strict";
import { contents } from "../../testdata/payload_content.ts";
import { type PayloadSample, payloadSamples } from "../../testdata/payload_samples.ts";
import { FormatError } from "../errors.ts";
import { type Compression, recogniseCompression } from "./compression.ts";
import { decompress, type Decompressed, type DecompressOptions } from "./decompress.ts";

const packed = (sample: PayloadSample): Uint8Array =>
  Uint8Array.from(atob(sample.base64), (c) => c.charCodeAt(0));

const unpacked = (sample: PayloadSample): Uint8Array => {
  const make = contents[sample.content];
  assert.ok(make);
  return make();
};

const named = (sample: PayloadSample): string => `${sample.content} by ${sample.made}`;

/** Formats whose check finds every flipped bit of what was packed. */
const isChecked = (sample: PayloadSample): boolean =>
  !["lzma"].includes(sample.format) &&
  !/-l\b|--check=none|-F|--no-check|--no-frame-crc/.test(sample.made);

/** The result, or the error if it is the one that may be; any other is thrown on. */
async function outcome(
  format: Compression,
  bytes: Uint8Array,
  options: DecompressOptions = {},
): Promise<Decompressed | FormatError> {
  try {
    return await decompress(format, bytes, options);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    assert.ok(error.place.offset >= 0 && error.place.offset <= bytes.length, error.message);
    return error;
  }
}

const same = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

for (const format of ["gzip", "bzip2", "lzma", "xz", "lzo", "lz4", "zstd"] as const) {
  const samples = payloadSamples.filter((sample) => sample.format === format);
  const small = samples.filter(({ content }) => content !== "zeros" && content !== "medium");

  Deno.test(`${format}: what the native tool packed comes out as it went in`, async () => {
    assert.ok(samples.length >= 6);
    for (const sample of samples) {
      const bytes = packed(sample);
      // LZMA has no magic, but kernels are packed with the parameters 0x5d only.
      const isUnusual = format === "lzma" && bytes[0] !== 0x5d;
      assert.equal(recogniseCompression(bytes), isUnusual ? undefined : format, named(sample));
      const result = await decompress(format, bytes);
      assert.ok(same(result.bytes, unpacked(sample)), named(sample));
      assert.equal(result.consumed, bytes.length, named(sample));
    }
  });

  Deno.test(`${format}: an empty file is an error, not a crash`, async () => {
    const result = await outcome(format, new Uint8Array(0));
    assert.ok(result instanceof FormatError);
  });

  Deno.test(`${format}: a stream cut short anywhere is an error`, async () => {
    for (const sample of small) {
      const bytes = packed(sample);
      // Several streams in a row may end after the first; padding may be missing.
      const mayEnd = sample.made.startsWith("(") || sample.made.startsWith("lz4 -l");
      for (let length = 0; length < bytes.length; length++) {
        const result = await outcome(format, bytes.subarray(0, length));
        if (result instanceof FormatError) continue;
        assert.ok(mayEnd, `${named(sample)} cut to ${length} bytes`);
        assert.ok(result.bytes.length < unpacked(sample).length);
      }
    }
  });

  Deno.test(`${format}: with any byte flipped it is an error or harmless`, async () => {
    for (const sample of small) {
      const bytes = packed(sample);
      const right = unpacked(sample);
      const limit = right.length + 1000;
      for (let at = 0; at < bytes.length; at++) {
        for (const flip of at % 3 === 0 ? [0xff, 1] : [1 << at % 8]) {
          const damaged = bytes.slice();
          damaged[at] = (damaged[at] ?? 0) ^ flip;
          const result = await outcome(format, damaged, { limit });
          if (result instanceof FormatError || !isChecked(sample)) continue;
          // Names, times and the like have no check; and one of several streams may be missed.
          assert.ok(
            same(result.bytes, right) || sample.made.startsWith("("),
            `${named(sample)}, byte ${at}`,
          );
        }
      }
    }
  });

  Deno.test(`${format}: what follows the stream is left alone`, async () => {
    // Of a legacy lz4 frame nothing tells the end but the end of the input.
    for (const sample of small.filter(({ made }) => !made.includes("lz4 -l"))) {
      const bytes = packed(sample);
      const longer = new Uint8Array(bytes.length + 9).fill(0xa5);
      longer.set(bytes);
      const result = await decompress(format, longer);
      assert.equal(result.consumed, bytes.length, named(sample));
      assert.ok(same(result.bytes, unpacked(sample)));
    }
  });

  Deno.test(`${format}: the input may be part of a larger buffer`, async () => {
    for (const sample of small) {
      const bytes = packed(sample);
      const larger = new Uint8Array(bytes.length + 20).fill(0x55);
      larger.set(bytes, 7);
      const result = await decompress(format, larger.subarray(7, 7 + bytes.length));
      assert.ok(same(result.bytes, unpacked(sample)), named(sample));
    }
  });

  Deno.test(`${format}: no more memory is taken than the limit allows`, async () => {
    const [bomb] = samples.filter(({ content }) => content === "zeros");
    assert.ok(bomb);
    const bytes = packed(bomb);
    for (const options of [{ limit: 100_000 }, { size: 100_000 }, { limit: (1 << 20) - 1 }]) {
      const [result, grown] = await watchingMemory(() => outcome(format, bytes, options));
      assert.ok(result instanceof FormatError);
      assert.match(result.problem, /raise the limit/);
      assert.ok(grown <= 2 * (1 << 20) + (options.limit ?? 0), `${grown} bytes`);
    }
    const right = await decompress(format, bytes, { size: 1 << 20 });
    assert.equal(right.bytes.length, 1 << 20);
    const exact = await decompress(format, bytes, { limit: 1 << 20, size: 5 });
    assert.equal(exact.bytes.length, 1 << 20);
  });

  Deno.test(`${format}: a wrong size is for the caller to see`, async () => {
    const [sample] = samples.filter(({ content }) => content === "tiny");
    assert.ok(sample);
    const result = await decompress(format, packed(sample), { size: 1000 });
    assert.equal(result.bytes.length, 6);
  });

  Deno.test(`${format}: progress goes up and never beyond the result`, async () => {
    const [sample] = samples.filter(({ content }) => content === "zeros");
    assert.ok(sample);
    const said: number[] = [];
    const progress = (done: number, total: number | undefined): void => {
      said.push(done);
      assert.equal(total, 1 << 20);
    };
    await decompress(format, packed(sample), { size: 1 << 20, progress });
    assert.ok(said.length > 0);
    assert.ok(said.every((done, i) => done >= (said[i - 1] ?? 0) && done <= 1 << 20));
  });

  Deno.test(`${format}: several at a time do not disturb each other`, async () => {
    const results = await Promise.all(small.map((sample) => decompress(format, packed(sample))));
    results.forEach((result, i) => {
      const sample = small[i];
      assert.ok(sample && same(result.bytes, unpacked(sample)));
    });
  });
}

/** What a call does, and by how many bytes it made memories of WebAssembly larger. */
async function watchingMemory<T>(call: () => Promise<T>): Promise<[T, number]> {
  const { grow } = WebAssembly.Memory.prototype;
  let bytes = 0;
  WebAssembly.Memory.prototype.grow = function (pages: number): number {
    bytes += pages * 0x10000;
    return grow.call(this, pages);
  };
  try {
    return [await call(), bytes];
  } finally {
    WebAssembly.Memory.prototype.grow = grow;
  }
}

/** The sample of a content and command line. */
function find(content: string, made: string): Uint8Array {
  const sample = payloadSamples.find((s) => s.content === content && s.made === made);
  assert.ok(sample, made);
  return packed(sample);
}

Deno.test("the checks that were met and the parameters are told", async (t) => {
  const told: Record<string, unknown> = {};
  for (const sample of payloadSamples) {
    const { checks, parameters } = await decompress(sample.format, packed(sample));
    told[named(sample)] = { checks, ...parameters };
  }
  await t.assertSnapshot(told);
});

Deno.test("a dictionary of 32 MiB declared by a tiny file takes no memory", async () => {
  const bytes = find("tiny", "xz --check=crc32 --x86 --lzma2=dict=32MiB");
  const [result, grown] = await watchingMemory(() => decompress("xz", bytes));
  assert.equal(result.parameters.dictionary, 32 << 20);
  assert.ok(grown < 1 << 19, `${grown} bytes`);
});

Deno.test("every single check of xz is made: a stored check that differs is refused", async () => {
  for (
    const [made, size, name] of [
      ["xz --check=crc64", 8, "CRC64"],
      ["xz --check=sha256", 32, "SHA-256"],
      ["xz --check=crc32 --x86 --lzma2=dict=32MiB", 4, "CRC32"],
    ] as const
  ) {
    const bytes = find("small", made);
    // Index (one record: 8 to 12 bytes) and footer (12) lie behind the check.
    const view = new DataView(bytes.buffer);
    const index = (view.getUint32(bytes.length - 8, true) + 1) * 4;
    const check = bytes.length - 12 - index - size;
    bytes[check] = (bytes[check] ?? 0) ^ 1;
    await assert.rejects(decompress("xz", bytes), (error: unknown) => {
      assert.ok(error instanceof FormatError);
      assert.match(error.message, new RegExp(`^xz.block at 0x[0-9a-f]+: ${name} of the result`));
      assert.equal(error.place.offset, check);
      return true;
    });
  }
});

Deno.test("an error names structure, field, offset, what was needed and what was found", async () => {
  const cases: readonly (readonly [Compression, readonly number[], string])[] = [
    ["gzip", [0x1f, 0x9e], "gzip.ID at 0x0: needs 0x8b1f, found 0x9e1f"],
    [
      "zstd",
      [0x28, 0xb5, 0x2f, 0xfd, 0x08],
      "zstd.frame_header.Frame_Header_Descriptor at 0x4: " +
      "needs a reserved bit of 0, found 0x08",
    ],
    [
      "xz",
      [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0],
      "xz.stream_header.crc32 at 0x8: says 0x00000000, " +
      "the bytes have 0x41d912ff",
    ],
    ["lz4", [1, 2, 3, 4], "lz4.magic at 0x0: needs 0x184c2102 or 0x184d2204, found 0x04030201"],
  ];
  for (const [format, start, message] of cases) {
    const bytes = new Uint8Array(32);
    bytes.set(start);
    await assert.rejects(decompress(format, bytes), { name: "FormatError", message });
  }
});

Deno.test("an ELF file is its own payload", async () => {
  const bytes = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1);
  assert.equal(recogniseCompression(bytes), "none");
  assert.equal((await decompress("none", bytes)).bytes, bytes);
  await assert.rejects(decompress("none", bytes, { limit: 5 }), /more than the limit of 5 bytes/);
  assert.equal(recogniseCompression(bytes, 1), undefined);
});

Deno.test("a legacy lz4 frame ends where the kernel's size word repeats its size", async () => {
  const bytes = find("small", "lz4 -l -9");
  const longer = new Uint8Array(bytes.length + 4);
  longer.set(bytes);
  new DataView(longer.buffer).setUint32(bytes.length, 1500, true);
  const result = await decompress("lz4", longer);
  assert.equal(result.consumed, bytes.length);
  assert.equal(result.bytes.length, 1500);
});
