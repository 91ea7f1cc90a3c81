import assert from "node:assert/strict";
import fc from "fast-check";
import { encode, flaws } from "../layout.ts";
import {
  decodeAmdMicrocode,
  decodeIntelMicrocode,
  equivCpuEntry,
  extendedSignature,
  extendedSigtable,
  microcodeHeaderAmd,
  microcodeHeaderIntel,
  processorOf,
  showBcdDate,
  showSignature,
} from "./microcode.ts";
import { amdContainer, intelUpdate } from "../../testdata/microcode.ts";

Deno.test("the rows of every microcode table cover it", () => {
  for (
    const table of [
      microcodeHeaderIntel,
      extendedSigtable,
      extendedSignature,
      equivCpuEntry,
      microcodeHeaderAmd,
    ]
  ) assert.deepEqual([...flaws(table)], [], table.name);
});

Deno.test("signatures and dates read as in iucode_tool and in file names", () => {
  // iucode_tool 2.3.1 on Debian's 06-55-04: sig 0x00050654, 2023-03-06, rev 0x2007006.
  assert.equal(showSignature(0x00050654), "06-55-04");
  assert.equal(showBcdDate(0x03062023), "2023-03-06");
  assert.equal(showSignature(0x00000f4a), "0f-04-0a");
  assert.deepEqual(processorOf(0x00a20f10), { family: 0x19, model: 0x21, stepping: 0 });
  assert.deepEqual(processorOf(0x00000543), { family: 5, model: 4, stepping: 3 });
});

Deno.test("a file of Intel updates gives each with its header and checksum", () => {
  const first = intelUpdate({ sig: 0x50654, rev: 0x2007006, date: 0x03062023, pf: 0xb7 });
  const second = intelUpdate({ sig: 0x806f8, rev: 5, extended: [0x806f4, 0x806f5] });
  const found = decodeIntelMicrocode(Uint8Array.of(...first, ...second));
  assert.ok(found.vendor === "GenuineIntel");
  assert.deepEqual(found.complaints, []);
  assert.deepEqual(found.updates.map((u) => [u.offset, u.size, u.header.rev, u.checksum]), [
    [0, first.length, 0x2007006, "ok"],
    [first.length, second.length, 5, "ok"],
  ]);
  assert.deepEqual(found.updates[1]?.extended.map(({ sig }) => sig), [0x806f4, 0x806f5]);
});

Deno.test("a changed Intel update is told by its checksum, an impossible one ends the list", () => {
  const changed = intelUpdate({ sig: 0x50654, rev: 1 });
  changed[60] = 0xff;
  const a = decodeIntelMicrocode(changed);
  assert.ok(a.vendor === "GenuineIntel");
  assert.equal(a.updates[0]?.checksum, "wrong");
  assert.equal(a.complaints[0]?.rule, "microcode.intel-checksum");

  const huge = encode(
    microcodeHeaderIntel,
    { totalsize: 0xfffffffc },
    intelUpdate({ sig: 1, rev: 1 }),
  );
  const b = decodeIntelMicrocode(huge);
  assert.ok(b.vendor === "GenuineIntel");
  assert.equal(b.updates.length, 0);
  assert.match(b.complaints[0]?.message ?? "", /needs 4294967292 bytes, the file ends at/);
});

Deno.test("an AMD container gives its patches with the processors of its table", () => {
  const container = amdContainer({
    equivalences: [[0x800f12, 0x8012], [0x800f82, 0x8082], [0x800f83, 0x8082]],
    patches: [[0x0800126f, 0x8012], [0x0800820d, 0x8082]],
  });
  const found = decodeAmdMicrocode(Uint8Array.of(...container, ...container));
  assert.ok(found.vendor === "AuthenticAMD");
  assert.deepEqual(found.complaints, []);
  assert.deepEqual(found.containers.map(({ offset, size }) => [offset, size]), [
    [0, container.length],
    [container.length, container.length],
  ]);
  assert.deepEqual(
    found.containers[0]?.patches.map((p) => [p.header.patch_id, p.signatures.map(showSignature)]),
    [[0x0800126f, ["17-01-02"]], [0x0800820d, ["17-08-02", "17-08-03"]]],
  );
});

Deno.test("an AMD patch longer than the file is a complaint", () => {
  const container = amdContainer({ equivalences: [[1, 1]], patches: [[2, 1]] });
  const found = decodeAmdMicrocode(container.subarray(0, container.length - 1));
  assert.equal(found.complaints[0]?.rule, "microcode.amd");
});

Deno.test("any bytes decode to a value", () => {
  const intel = intelUpdate({ sig: 0x50654, rev: 1, extended: [1, 2, 3] });
  const amd = amdContainer({ equivalences: [[1, 1], [2, 1]], patches: [[2, 1], [3, 1]] });
  const flipped = (whole: Uint8Array) =>
    fc.array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })), { maxLength: 5 })
      .map((flips) => {
        const bytes = whole.slice();
        for (const [at, value] of flips) bytes[at] = value;
        return bytes;
      });
  const cases = fc.oneof(fc.uint8Array({ maxLength: 300 }), flipped(intel), flipped(amd));
  fc.assert(
    fc.property(cases, (bytes) => {
      for (
        const { vendor, complaints } of [decodeIntelMicrocode(bytes), decodeAmdMicrocode(bytes)]
      ) {
        assert.ok(vendor);
        assert.ok(complaints.every(({ offset }) => offset <= bytes.length));
      }
    }),
    { seed: 3, numRuns: 1000 },
  );
});
