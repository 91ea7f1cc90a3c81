import assert from "node:assert/strict";
import fc from "fast-check";
import { FormatError } from "../errors.ts";
import { flaws } from "../layout.ts";
import { contentsOf, type CpioMember, decodeCpio, newcHeader, showMember } from "./cpio.ts";
import { type CpioInput, encodeCpio } from "./encode_cpio.ts";
import { fileKind, showMode } from "./mode.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytesOf = (s: string) => new TextEncoder().encode(s);
const witness = (name: string) =>
  Deno.readFileSync(new URL(`../../testdata/initramfs/${name}`, import.meta.url));

Deno.test("the newc header's rows cover its 110 characters", () => {
  assert.deepEqual([...flaws(newcHeader)], []);
});

/** Columns of `cpio -tvn` less the date, whose form goes by the day it is run. */
function columns(line: string): string[] {
  const parts = line.replace(/(\d+), +(\d+)/, "$1,$2").split(/ +/);
  const dateColumns = /^\d{4}-/.test(parts[5] ?? "") ? 2 : 3;
  return [...parts.slice(0, 5), parts.slice(5 + dateColumns).join(" ")];
}

for (const format of ["newc", "crc"] as const) {
  Deno.test(`decodeCpio() lists GNU cpio's ${format} archive as GNU cpio does`, () => {
    const archive = decodeCpio(witness(`tree.${format}.cpio`));
    const listing = text(witness("tree.txt")).trimEnd().split("\n");
    assert.equal(archive.format, format);
    assert.deepEqual(
      archive.members.map((member) => columns(showMember(member))),
      listing.map(columns),
    );
    assert.deepEqual(archive.complaints, []);
    assert.equal(archive.hasTrailer, true);
    assert.ok(archive.members.every(({ mtime }) => mtime === 1_000_000_000));
  });
}

function named(members: readonly CpioMember[], name: string): CpioMember {
  const found = members.find((member) => member.name === name);
  assert.ok(found, name);
  return found;
}

Deno.test("every name of a hard link has the data that the last of them brings", () => {
  const bytes = witness("tree.newc.cpio");
  const { members } = decodeCpio(bytes);
  for (const name of ["bin/a", "bin/b", "bin/c"]) {
    assert.equal(text(contentsOf(bytes, named(members, name))), "one file, three names\n");
  }
  assert.equal(named(members, "bin/a").size, 0);
  assert.deepEqual(named(members, "bin/a").links, ["bin/b", "bin/c"]);
  assert.equal(named(members, "init").links, undefined);
});

Deno.test("a symbolic link has a target, a device has numbers", () => {
  const { members } = decodeCpio(witness("tree.newc.cpio"));
  assert.equal(named(members, "bin/start").target, "../init");
  assert.deepEqual(named(members, "dev/console").rdev, { major: 5, minor: 1 });
  assert.equal(named(members, "init").target, undefined);
});

Deno.test("a crc archive with a changed byte has a complaint at the checksum", () => {
  const bytes = witness("tree.crc.cpio");
  const init = named(decodeCpio(bytes).members, "init");
  bytes[init.contents.offset] = 0;
  const { complaints } = decodeCpio(bytes);
  assert.deepEqual(complaints.map(({ rule, offset }) => [rule, offset]), [
    ["cpio.checksum", init.offset + 102],
  ]);
});

Deno.test("the older formats are refused by name", () => {
  const refused = (bytes: Uint8Array, pattern: RegExp) =>
    assert.throws(
      () => decodeCpio(bytes),
      (e) => e instanceof FormatError && pattern.test(e.message),
    );
  refused(bytesOf("0707070000010000020407550000000000000000050000000"), /odc.*cpio -H newc/);
  refused(Uint8Array.of(0xc7, 0x71, 0, 0xfe, 0xd4, 0x61), /old binary.*cpio -H newc/);
  refused(Uint8Array.of(0x71, 0xc7, 0xfe, 0, 0x61, 0xd4), /old binary.*cpio -H newc/);
  refused(bytesOf("070703"), /no cpio magic/);
  refused(bytesOf("0707"), /needs 6 bytes, the input ends at 0x4/);
});

/** A one-member archive with a number of its first header written over. */
function withField(field: keyof typeof newcHeader.fields, value: string): Uint8Array {
  const bytes = encodeCpio([{ name: "file", mode: 0o100644, data: bytesOf("data") }]);
  bytes.set(bytesOf(value), newcHeader.fields[field].at);
  return bytes;
}

Deno.test("absurd sizes and odd digits become complaints with the place", () => {
  const cases = [
    ["c_filesize", "ffffffff", "cpio.truncated"],
    ["c_namesize", "ffffffff", "cpio.truncated"],
    ["c_namesize", "00000000", "cpio.name-size"],
    ["c_mtime", "0000000g", "cpio.bad-number"],
    ["c_mode", "+0000001", "cpio.bad-number"],
  ] as const;
  for (const [field, value, rule] of cases) {
    const { complaints } = decodeCpio(withField(field, value));
    assert.equal(complaints[0]?.rule, rule, `${field} = ${value}`);
  }
});

Deno.test("a member cut short keeps what there is of its data", () => {
  const whole = encodeCpio([{ name: "file", mode: 0o100644, data: new Uint8Array(300).fill(7) }]);
  const cut = whole.subarray(0, 200);
  const { members, complaints, hasTrailer } = decodeCpio(cut);
  assert.equal(members[0]?.size, 300);
  assert.equal(contentsOf(cut, named(members, "file")).length, 200 - 116);
  assert.equal(complaints[0]?.rule, "cpio.truncated");
  assert.equal(hasTrailer, false);
});

Deno.test("an archive cut at any length decodes or says where it ends", () => {
  const whole = witness("tree.newc.cpio");
  const all = decodeCpio(whole);
  // The trailer's own padding may be missing.
  for (let length = 0; length < all.end - 3; length++) {
    const cut = whole.subarray(0, length);
    if (length < 6) {
      assert.throws(() => decodeCpio(cut), FormatError);
      continue;
    }
    const { members, complaints } = decodeCpio(cut);
    assert.ok(complaints.length > 0, `${length}`);
    assert.ok(members.length <= all.members.length);
  }
});

Deno.test("an archive may start anywhere; its padding counts from its start", () => {
  const archive = encodeCpio([{ name: "a", mode: 0o100644, data: bytesOf("x") }]);
  for (const at of [0, 1, 2, 3, 4]) {
    const bytes = new Uint8Array(at + archive.length);
    bytes.set(archive, at);
    const { members, hasTrailer } = decodeCpio(bytes, at);
    assert.equal(hasTrailer, true, `${at}`);
    assert.equal(text(contentsOf(bytes, named(members, "a"))), "x");
  }
});

const u32 = fc.nat({ max: 0xffffffff });
const device = fc.record({ major: u32, minor: u32 }, { noNullPrototype: true });
const name = fc.string({ minLength: 1, maxLength: 40, unit: "grapheme" })
  .filter((n) => n !== "TRAILER!!!" && !n.includes("\0") && n.isWellFormed());
const input: fc.Arbitrary<Required<Omit<CpioInput, "target">>> = fc.record({
  name,
  mode: fc.nat({ max: 0o177777 }).filter((mode) => (mode & 0o170000) !== 0o120000),
  data: fc.uint8Array({ maxLength: 50 }),
  uid: u32,
  gid: u32,
  // One name each: what several share is the hard links' own test.
  nlink: fc.constant(1),
  mtime: u32,
  ino: u32,
  dev: device,
  rdev: device,
}, { noNullPrototype: true });

Deno.test("decodeCpio(encodeCpio(members)) gives the members back", () => {
  fc.assert(
    fc.property(fc.array(input, { maxLength: 8 }), (members) => {
      const bytes = encodeCpio(members);
      const archive = decodeCpio(bytes);
      assert.deepEqual(archive.complaints.filter(({ rule }) => rule !== "cpio.link-size"), []);
      assert.deepEqual(
        archive.members.map((m) => ({
          name: m.name,
          mode: m.mode,
          data: contentsOf(bytes, m).slice(),
          uid: m.uid,
          gid: m.gid,
          nlink: m.nlink,
          mtime: m.mtime,
          ino: m.ino,
          dev: m.dev,
          rdev: m.rdev,
        })),
        members,
      );
      assert.equal(bytes.length % 512, 0);
    }),
    { seed: 1, numRuns: 300 },
  );
});

Deno.test("flipping any bytes of an archive never throws but a FormatError", () => {
  const whole = witness("tree.crc.cpio");
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })), {
        minLength: 1,
        maxLength: 6,
      }),
      (flips) => {
        const bytes = whole.slice();
        for (const [at, value] of flips) bytes[at] = value;
        try {
          const { members } = decodeCpio(bytes);
          for (const member of members) {
            assert.ok(member.contents.offset + member.contents.size <= bytes.length);
            showMember(member);
          }
        } catch (error) {
          assert.ok(error instanceof FormatError, String(error));
        }
      },
    ),
    { seed: 2, numRuns: 2000 },
  );
});

Deno.test("encodeCpio() writes what every kernel has built in, in 512 bytes", () => {
  // The default of usr/default_cpio_list.
  const bytes = encodeCpio([
    { name: "dev", mode: 0o040755 },
    { name: "dev/console", mode: 0o020600, rdev: { major: 5, minor: 1 } },
    { name: "root", mode: 0o040700 },
  ]);
  assert.equal(bytes.length, 512);
  assert.deepEqual(decodeCpio(bytes).members.map((m) => [showMode(m.mode), m.nlink, m.name]), [
    ["drwxr-xr-x", 2, "dev"],
    ["crw-------", 1, "dev/console"],
    ["drwx------", 2, "root"],
  ]);
});

Deno.test("encodeCpio() refuses what the format cannot hold", () => {
  const refused = (member: CpioInput) => assert.throws(() => encodeCpio([member]), RangeError);
  refused({ name: "", mode: 0o100644 });
  refused({ name: "TRAILER!!!", mode: 0o100644 });
  refused({ name: "a\0b", mode: 0o100644 });
  refused({ name: "x".repeat(4096), mode: 0o100644 });
  refused({ name: "a", mode: 2 ** 32 });
  refused({ name: "a", mode: 0o100644, mtime: -1 });
});

Deno.test("modes are shown as ls shows them", () => {
  const cases = [
    [0o100644, "-rw-r--r--", "regular file"],
    [0o106755, "-rwsr-sr-x", "regular file"],
    [0o107644, "-rwSr-Sr-T", "regular file"],
    [0o041777, "drwxrwxrwt", "directory"],
    [0o120777, "lrwxrwxrwx", "symbolic link"],
    [0o140600, "srw-------", "socket"],
    [0o060660, "brw-rw----", "block device"],
    [0o000000, "?---------", "unknown"],
  ] as const;
  for (const [mode, shown, kind] of cases) {
    assert.equal(showMode(mode), shown);
    assert.equal(fileKind(mode), kind);
  }
});
