import assert from "node:assert/strict";
import fc from "fast-check";
import { FormatError } from "./errors.ts";
import { encode, flaws, type Structure } from "./layout.ts";
import {
  ccSetupData,
  decodeSetupData,
  efiSetupData,
  encodeE820,
  encodeSetupData,
  imaSetupData,
  jailhouseSetupData,
  khoData,
  pciSetupRom,
  readSetupDataList,
  SETUP_INDIRECT,
  setupDataHeader,
  setupDataOfSysfs,
  setupIndirect,
  showSetupData,
} from "./setup_data.ts";

/** Memory with these nodes in it; what lies between is zero. */
function memory(size: number, nodes: Readonly<Record<number, Uint8Array>>): {
  bytes: Uint8Array;
  read: (at: bigint, length: number) => Uint8Array | undefined;
} {
  const bytes = new Uint8Array(size);
  for (const [at, node] of Object.entries(nodes)) bytes.set(node, Number(at));
  const read = (at: bigint, length: number): Uint8Array | undefined =>
    at >= BigInt(size) ? undefined : bytes.subarray(Number(at), Number(at) + length);
  return { bytes, read };
}

const filled = (structure: Structure, fields: Record<string, number | bigint>): Uint8Array =>
  encode(structure, fields as never, new Uint8Array(structure.size));

const fdt = (size: number): Uint8Array => {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  [0xd00dfeed, size, 56, 72, 40, 17, 16, 0, 4, 16].forEach((word, i) =>
    view.setUint32(4 * i, word)
  );
  return bytes;
};

Deno.test("every byte of a node's structures belongs to a row", () => {
  for (
    const structure of [
      setupDataHeader,
      setupIndirect,
      pciSetupRom,
      efiSetupData,
      jailhouseSetupData,
      ccSetupData,
      imaSetupData,
      khoData,
    ]
  ) assert.deepEqual([...flaws(structure)], [], structure.name);
});

Deno.test("a list is followed from node to node, each shown by its type", () => {
  const { read } = memory(0x1000, {
    0x100: encodeSetupData({ type: 9, data: new Uint8Array(32).fill(7), next: 0x800n }),
    0x800: encodeSetupData({ type: 2, data: fdt(72), next: 0x400n }),
    0x400: encodeSetupData({
      type: 1,
      data: encodeE820([{ addr: 0x1_0000_0000n, size: 0x1000n, type: 1 }]),
      next: 0x200n,
    }),
    0x200: encodeSetupData({
      type: SETUP_INDIRECT,
      data: filled(setupIndirect, { type: SETUP_INDIRECT + 9, len: 32n, addr: 0x5000n }),
    }),
  });
  const { nodes, complaints } = readSetupDataList(0x100n, read);
  assert.deepEqual(complaints, []);
  assert.deepEqual(nodes.map(showSetupData), [
    "SETUP_RNG_SEED, 32 bytes",
    "SETUP_DTB, 72 bytes: device tree version 17, 72 bytes",
    "SETUP_E820_EXT, 20 bytes: 1 more e820 entries",
    "SETUP_INDIRECT, 24 bytes: type SETUP_INDIRECT | SETUP_RNG_SEED, reserved 0x0, len 0x20, " +
    "addr 0x5000",
  ]);
  assert.deepEqual(nodes.map(({ address }) => address), [0x100n, 0x800n, 0x400n, 0x200n]);
  assert.deepEqual(nodes[2]?.contents.e820, [{ addr: 0x1_0000_0000n, size: 0x1000n, type: 1 }]);
});

Deno.test("no list is an empty list", () => {
  assert.deepEqual(readSetupDataList(0n, () => assert.fail("nothing is read")), {
    nodes: [],
    complaints: [],
  });
});

Deno.test("a list that runs in a circle ends where it began to repeat", () => {
  const { read } = memory(0x1000, {
    0x100: encodeSetupData({ type: 0, data: new Uint8Array(), next: 0x200n }),
    0x200: encodeSetupData({ type: 0, data: new Uint8Array(), next: 0x100n }),
  });
  const { nodes, complaints } = readSetupDataList(0x100n, read);
  assert.equal(nodes.length, 2);
  assert.deepEqual(complaints, ["setup_data node 2 at 0x100: the list runs in a circle"]);
});

Deno.test("a list without end stops at the limit of nodes", () => {
  let asked = 0;
  const read = (at: bigint, length: number): Uint8Array => {
    asked += length;
    return encodeSetupData({ type: 0, data: new Uint8Array(), next: at + 16n });
  };
  const { nodes, complaints } = readSetupDataList(16n, read, { nodes: 10 });
  assert.equal(nodes.length, 10);
  assert.deepEqual(complaints, ["setup_data node 10 at 0xb0: more than 10 nodes"]);
  assert.equal(asked, 160);
});

Deno.test("a length beyond memory or limit is never asked for in full", () => {
  const node = encodeSetupData({ type: 9, data: new Uint8Array(16) });
  new DataView(node.buffer).setUint32(12, 0xffffffff, true);
  const { bytes } = memory(0x200, { 0x100: node });
  let longest = 0;
  const list = readSetupDataList(0x100n, (at, length) => {
    longest = Math.max(longest, length);
    return bytes.subarray(Number(at), Number(at) + length);
  }, { bytes: 4096 });
  assert.equal(longest, 4096);
  assert.deepEqual(list.complaints, [
    "setup_data node 0 at 0x100: 4294967295 bytes of data, 4096 looked at",
    "setup_data node 0 at 0x100: len says 4294967295 bytes, memory ends after 240",
  ]);
});

Deno.test("a node outside memory ends the list with a complaint", () => {
  const { read } = memory(0x100, {
    0x10: encodeSetupData({ type: 0, data: new Uint8Array(), next: 0xf8n }),
  });
  const { nodes, complaints } = readSetupDataList(0x10n, read);
  assert.equal(nodes.length, 1);
  assert.deepEqual(complaints, ["setup_data node 1 at 0xf8: no memory there"]);
  assert.deepEqual(readSetupDataList(1n << 40n, read).complaints, [
    "setup_data node 0 at 0x10000000000: no memory there",
  ]);
});

Deno.test("contents that do not fit their type are complaints, not exceptions", () => {
  const said = (type: number, data: Uint8Array): readonly string[] =>
    decodeSetupData(encodeSetupData({ type, data })).contents.complaints;
  assert.deepEqual(said(8, new Uint8Array(3)), [
    "ima_setup_data.addr at 0x0: needs 8 bytes, the input ends at 0x3",
  ]);
  assert.deepEqual(said(2, new Uint8Array(40)), [
    "a device tree begins with 0xd00dfeed, found 0x00000000",
  ]);
  assert.deepEqual(said(2, new Uint8Array(8)), [
    "the header of a device tree needs 40 bytes, found 8",
  ]);
  assert.deepEqual(said(1, new Uint8Array(21)), [
    "1 bytes behind the last whole entry of 20 bytes",
  ]);
  assert.deepEqual(said(SETUP_INDIRECT, filled(setupIndirect, { type: SETUP_INDIRECT })), [
    "setup_indirect.type needs the type of the data beside SETUP_INDIRECT",
  ]);
});

Deno.test("Jailhouse's first version of 280 bytes has no flags, its second of 284 has", () => {
  const whole = filled(jailhouseSetupData, { version: 2, compatible_version: 1, flags: 3 });
  const [one, two] = [280, 284].map((size) =>
    decodeSetupData(encodeSetupData({ type: 6, data: whole.subarray(0, size) })).contents
  );
  assert.deepEqual(one?.complaints, []);
  assert.equal(one?.fields?.flags, undefined);
  assert.equal(two?.fields?.flags, 3);
});

Deno.test("a node is put together from the files of /sys", () => {
  const seed = setupDataOfSysfs("0x9\n", new Uint8Array(32));
  assert.equal(showSetupData(seed), "SETUP_RNG_SEED, 32 bytes");
  const tree = setupDataOfSysfs("0x80000002\n", fdt(72));
  assert.equal(tree.typeName, "SETUP_INDIRECT | SETUP_DTB");
  assert.equal(tree.contents.fdt?.totalsize, 72);
  for (const wrong of ["", "nine", "0x100000000", "-1", "9999999999"]) {
    assert.throws(() => setupDataOfSysfs(wrong, new Uint8Array()), FormatError);
  }
});

Deno.test("a node cut short is refused with what it needs", () => {
  const node = encodeSetupData({ type: 9, data: new Uint8Array(8) });
  assert.throws(
    () => decodeSetupData(node.subarray(0, 20)),
    /^FormatError: setup_data\.data at 0x10: needs 8 bytes, the input ends at 0x14$/,
  );
  assert.throws(() => decodeSetupData(node.subarray(0, 10)), FormatError);
});

Deno.test("a node that was encoded decodes to what it was made of", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 0xffffffff }),
      fc.uint8Array({ maxLength: 400 }),
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      (type, data, next) => {
        const node = decodeSetupData(encodeSetupData({ type, data, next }));
        assert.deepEqual([node.type, node.data, node.next], [type, data, next]);
      },
    ),
    { seed: 0x5eed, numRuns: 300 },
  );
});
