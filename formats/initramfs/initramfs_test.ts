import assert from "node:assert/strict";
import fc from "fast-check";
import {
  bootconfig,
  directory,
  file,
  gzip,
  joined,
  microcodeArchive,
  smallRoot,
  zeros,
} from "../../testdata/initramfs.ts";
import { amdContainer, intelUpdate } from "../../testdata/microcode.ts";
import { FormatError } from "../errors.ts";
import { contentsOf } from "./cpio.ts";
import { encodeCpio } from "./encode_cpio.ts";
import { type Initramfs, openInitramfs } from "./initramfs.ts";

const root = encodeCpio(smallRoot);
const utf8 = new TextEncoder();
const rules = ({ complaints }: Initramfs) => complaints.map(({ rule }) => rule);
const outline = ({ segments }: Initramfs) =>
  segments.map((s) => [s.offset, s.length, s.compression, s.kind, s.members.length]);

Deno.test("a plain archive is one segment with its zeros left out", async () => {
  const found = await openInitramfs(root);
  assert.deepEqual(outline(found), [[0, found.segments[0]?.length, "none", "main", 3]]);
  assert.ok((found.segments[0]?.length ?? 0) < root.length);
  assert.deepEqual(found.complaints, []);
  assert.equal(found.init?.member.name, "init");
  assert.deepEqual(found.console?.member.rdev, { major: 5, minor: 1 });
});

Deno.test("early microcode, zeros, a compressed main archive: as distributions do it", async () => {
  const intel = microcodeArchive("GenuineIntel", intelUpdate({ sig: 0x50654, rev: 7 }));
  const amd = microcodeArchive(
    "AuthenticAMD",
    amdContainer({ equivalences: [[0x800f12, 0x8012]], patches: [[0x0800126f, 0x8012]] }),
  );
  const main = gzip(root);
  const found = await openInitramfs(joined(intel, zeros(1024), amd, main));
  const offsets = [0, intel.length + 1024, intel.length + 1024 + amd.length];
  assert.deepEqual(found.segments.map((s) => [s.offset, s.compression, s.kind, s.members.length]), [
    [offsets[0], "none", "early microcode", 4],
    [offsets[1], "none", "early microcode", 4],
    [offsets[2], "gzip", "main", 3],
  ]);
  assert.equal(found.segments[2]?.length, main.length);
  assert.deepEqual(found.segments.map((s) => s.microcode?.map(({ vendor }) => vendor)), [
    ["GenuineIntel"],
    ["AuthenticAMD"],
    undefined,
  ]);
  assert.deepEqual(rules(found), []);
  assert.deepEqual(found.init?.segment, 2);
});

Deno.test("a member's data is found in what its segment unpacks to", async () => {
  const found = await openInitramfs(joined(root, gzip(encodeCpio([file("init", "second")]))));
  const { init, segments } = found;
  assert.ok(init);
  const bytes = segments[init.segment]?.bytes ?? zeros(0);
  assert.equal(new TextDecoder().decode(contentsOf(bytes, init.member)), "second");
  assert.deepEqual(rules(found), ["initramfs.duplicate", "initramfs.init-mode"]);
});

Deno.test("a compressed segment may hold several archives", async () => {
  const found = await openInitramfs(gzip(joined(root, encodeCpio([file("more", "x")]))));
  assert.deepEqual(found.segments.map(({ archives, members }) => [archives, members.length]), [
    [2, 4],
  ]);
});

Deno.test("a plain archive of other early files is told from the main one", async () => {
  const acpi = encodeCpio([
    directory("kernel"),
    directory("kernel/firmware"),
    directory("kernel/firmware/acpi"),
    file("kernel/firmware/acpi/dsdt.aml", "DSDT"),
  ]);
  const found = await openInitramfs(joined(acpi, root));
  assert.deepEqual(found.segments.map(({ kind }) => kind), ["early", "main"]);
});

Deno.test("what the kernel would stumble over is a complaint at its place", async () => {
  const micro = microcodeArchive("GenuineIntel", intelUpdate({ sig: 1, rev: 1 }));
  const packed = gzip(root);
  const cases: readonly (readonly [string, Uint8Array, string, number?])[] = [
    ["junk", joined(root, utf8.encode("garbage")), "initramfs.junk", root.length],
    ["junk in gzip", gzip(joined(root, utf8.encode("garbage!"))), "initramfs.junk", 0],
    [
      "plain off by one",
      joined(packed, zeros((-packed.length & 3) + 1), root),
      "initramfs.unaligned",
    ],
    [
      "gzip off by one behind a plain one",
      joined(root, zeros(1), gzip(root)),
      "initramfs.broken-padding",
      root.length + 1,
    ],
    ["cut", root.subarray(0, 300), "cpio.truncated"],
    ["cut gzip", joined(root, gzip(root).subarray(0, 60)), "initramfs.unpack"],
    ["packed microcode", gzip(micro), "initramfs.packed-microcode", 0],
    ["old format behind", joined(root, utf8.encode("070707000001")), "initramfs.junk", root.length],
    ["..", encodeCpio([...smallRoot, file("../etc/passwd", "")]), "initramfs.dot-dot"],
    ["absolute", encodeCpio([...smallRoot, file("/etc", "")]), "initramfs.absolute-name"],
    ["orphan", encodeCpio([...smallRoot, file("etc/motd", "")]), "initramfs.no-directory"],
    ["no init", encodeCpio([directory("etc")]), "initramfs.no-init"],
    ["mode", encodeCpio([...smallRoot, { name: "odd", mode: 0o644 }]), "initramfs.mode"],
  ];
  for (const [name, bytes, rule, offset] of cases) {
    const found = await openInitramfs(bytes);
    const complaint = found.complaints.find((c) => c.rule === rule);
    assert.ok(complaint, `${name}: ${rules(found)}`);
    if (offset !== undefined) assert.equal(complaint?.offset, offset, name);
  }
});

Deno.test("complaints of one kind are summed up beyond a handful", async () => {
  const many = Array.from({ length: 500 }, (_, i) => file(`missing/${i}`, ""));
  const { complaints } = await openInitramfs(encodeCpio([...smallRoot, ...many]));
  assert.equal(complaints.length, 9);
  assert.equal(complaints.at(-1)?.message, "492 more of this kind");
});

Deno.test("a bootconfig at the end is read and its sum checked", async () => {
  const text = "kernel.loglevel = 7\n";
  const whole = joined(root, bootconfig(text));
  for (const behind of [0, 1, 2, 3]) {
    const found = await openInitramfs(joined(whole, zeros(behind)));
    assert.equal(found.bootconfig?.text, text);
    assert.equal(found.bootconfig?.offset, root.length);
    assert.deepEqual(rules(found), []);
  }
  whole[root.length] = 0x4b;
  assert.deepEqual(rules(await openInitramfs(whole)), ["initramfs.bootconfig"]);
});

Deno.test("what is no initramfs is refused with what it is", async () => {
  const ext2 = zeros(2048);
  ext2.set([1, 2, 3, 4]);
  ext2.set([0x53, 0xef], 0x438);
  const refused = (bytes: Uint8Array, pattern: RegExp) =>
    assert.rejects(
      openInitramfs(bytes),
      (e) => e instanceof FormatError && pattern.test(e.message),
    );
  await refused(ext2, /found an ext2, ext3 or ext4 file system: an initrd of the old kind/);
  await refused(gzip(ext2), /ext4 file system in gzip/);
  await refused(utf8.encode("hello"), /needs a cpio archive, plain or compressed, found neither/);
  await refused(utf8.encode("070707000001000002040755"), /odc/);
  await refused(gzip(root).subarray(0, 50), /./);
});

Deno.test("segments together may not unpack to more than the limit", async () => {
  const big = gzip(encodeCpio([file("zeros", zeros(100_000))]));
  await assert.rejects(openInitramfs(big, { limit: 50_000 }), /limit/);
  const found = await openInitramfs(joined(root, big), { limit: 50_000 });
  assert.deepEqual(rules(found), ["initramfs.unpack"]);
  assert.equal((await openInitramfs(big, { limit: 200_000 })).segments.length, 1);
});

Deno.test("nothing at all has no segments and no complaint", async () => {
  assert.deepEqual(await openInitramfs(zeros(0)), { segments: [], complaints: [] });
  assert.deepEqual(await openInitramfs(zeros(512)), { segments: [], complaints: [] });
});

Deno.test("any flipped bytes give a value or a FormatError", async () => {
  const micro = microcodeArchive("GenuineIntel", intelUpdate({ sig: 1, rev: 1 }));
  const whole = joined(micro, gzip(root), zeros(3), bootconfig("a = b\n"));
  const flip = fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 }));
  await fc.assert(
    fc.asyncProperty(fc.array(flip, { minLength: 1, maxLength: 4 }), async (flips) => {
      const bytes = whole.slice();
      for (const [at, value] of flips) bytes[at] = value;
      try {
        const { segments } = await openInitramfs(bytes, { limit: 1 << 20 });
        for (const { offset, length } of segments) assert.ok(offset + length <= bytes.length);
      } catch (error) {
        assert.ok(error instanceof FormatError, String(error));
      }
    }),
    { seed: 4, numRuns: 400 },
  );
});
