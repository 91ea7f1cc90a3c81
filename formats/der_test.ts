import assert from "node:assert/strict";
import fc from "fast-check";
import { childrenOf, DerFields, readDer, showOid, showText, showTime, tags } from "./der.ts";
import { FormatError } from "./errors.ts";

const read = (...bytes: number[]) => readDer(Uint8Array.from(bytes), 0, bytes.length);
const tagged = (tag: number, content: string | number[]) => {
  const bytes = typeof content === "string" ? [...new TextEncoder().encode(content)] : content;
  return read(tag, bytes.length, ...bytes);
};

Deno.test("readDer() reads short and long lengths", () => {
  assert.deepEqual({ start: 2, end: 3 }, pick(read(0x02, 0x01, 0x05)));
  assert.deepEqual({ start: 3, end: 4 }, pick(read(0x02, 0x81, 0x01, 0x05)));
  assert.deepEqual({ start: 6, end: 7 }, pick(read(0x02, 0x84, 0, 0, 0, 0x01, 0x05)));
});
const pick = ({ start, end }: { start: number; end: number }) => ({ start, end });

Deno.test("readDer() says what is wrong and where", () => {
  const cases: [number[], RegExp][] = [
    [[0x30], /DER at 0x0: needs tag and length/],
    [[0x30, 0x05, 0], /5 bytes of content, though 1 are left/],
    [[0x30, 0x80, 0, 0], /indefinite length/],
    [[0x1f, 0x01, 0], /a tag of more than one byte/],
    [[0x30, 0x85, 0, 0, 0, 0, 1, 0], /a length of 5 bytes/],
    [[0x30, 0x82, 0x01], /the length ends beyond/],
    [[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], /4294967295 bytes of content, though 0 are left/],
  ];
  for (const [bytes, message] of cases) {
    assert.throws(() => read(...bytes), (e) => e instanceof FormatError && message.test(e.message));
  }
});

Deno.test("DerFields takes fields in order and names the one that is missing", () => {
  const fields = new DerFields(read(0x30, 6, 0x02, 1, 7, 0x04, 1, 8), "Pair");
  assert.equal(fields.optional(tags.set), undefined);
  assert.equal(fields.next("number", tags.integer).start, 4);
  assert.throws(
    () => fields.next("name", tags.sequence, tags.set),
    /Pair\.name at 0x5: needs tag 0x30 or 0x31, found 0x04/,
  );
  fields.next("bytes");
  assert.throws(() => fields.next("more"), /Pair\.more at 0x8: .* found the end/);
});

Deno.test("object identifiers, texts and times are shown as openssl shows them", () => {
  const oid = (...content: number[]) => showOid(tagged(0x06, content));
  assert.equal(oid(0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 2, 1, 4), "1.3.6.1.4.1.311.2.1.4");
  assert.equal(oid(0x60, 0x86, 0x48, 0x01, 0x65, 3, 4, 2, 1), "2.16.840.1.101.3.4.2.1");
  assert.equal(oid(0x88, 0x37, 0x03), "2.999.3");
  assert.equal(oid(), "");
  assert.equal(showText(tagged(0x0c, "Exämple")), "Exämple");
  assert.equal(showText(tagged(0x13, "Plain")), "Plain");
  assert.equal(showText(tagged(0x1e, [0, 0x41, 0x20, 0xac])), "A€");
  assert.equal(showTime(tagged(0x17, "261116145358Z")), "2026-11-16T14:53:58Z");
  assert.equal(showTime(tagged(0x17, "500101000000Z")), "1950-01-01T00:00:00Z");
  assert.equal(showTime(tagged(0x17, "4912312359Z")), "2049-12-31T23:59:00Z");
  assert.equal(showTime(tagged(0x18, "20810825194249Z")), "2081-08-25T19:42:49Z");
  assert.equal(showTime(tagged(0x18, "20810825194249.5Z")), "2081-08-25T19:42:49Z");
  assert.equal(showTime(tagged(0x17, "yesterday")), "yesterday");
});

Deno.test("any bytes are elements or a FormatError, and elements end", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        let count = 0;
        for (const child of childrenOf(readDer(bytes, 0, bytes.length))) {
          count++;
          assert.ok(child.end <= bytes.length);
        }
        assert.ok(count <= bytes.length / 2);
      } catch (error) {
        assert.ok(error instanceof FormatError, String(error));
      }
    }),
    { seed: 2, numRuns: 2000 },
  );
});
