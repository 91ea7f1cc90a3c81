import assert from "node:assert/strict";
import fc from "fast-check";
import { specimen } from "../../testdata/specimens.ts";
import { FormatError } from "../errors.ts";
import { child, decodeFdt, numberOf, property, showTree, textOf } from "./fdt.ts";

const dtb = () => specimen("dtb").bytes;

/** What `dtc -I dtb -O dts` 1.6.1 prints of it, its spacing made ours. */
const source = `/ {
	model = "Made board";
	compatible = "made,board", "made,soc";
	#address-cells = <0x00000001>;
	chosen {
		bootargs = "console=ttyS0 quiet";
	};
	memory@0 {
		device_type = "memory";
		reg = <0x00000000 0x08000000>;
	};
	soc {
		uart@1000 {
			compatible = "ns16550a";
			reg = <0x00001000 0x00000100>;
			big-endian;
			mac = [00 11 22 33 44 55 66];
		};
	};
};`;

Deno.test("a device tree shows as the source that dtc gives back", () => {
  const { root, reserved, complaints } = decodeFdt(dtb());
  assert.equal([...showTree(root)].join("\n"), source);
  assert.deepEqual(reserved, [{ address: 0x10000000n, size: 0x4000n }]);
  assert.deepEqual(complaints, []);
});

Deno.test("nodes and properties are found by name, unit address or not", () => {
  const { root } = decodeFdt(dtb());
  const soc = child(root, "soc");
  const uart = soc && child(soc, "uart");
  assert.ok(uart);
  assert.equal(uart.name, "uart@1000");
  assert.equal(textOf(root, "compatible"), "made,board, made,soc");
  assert.equal(numberOf(root, "#address-cells"), 1);
  assert.equal(numberOf(uart, "reg"), 0x1000_0000_0100n);
  const mac = property(uart, "mac");
  assert.deepEqual([...dtb().subarray(mac?.offset, (mac?.offset ?? 0) + 7)], [...mac?.value ?? []]);
});

Deno.test("a tree may stand anywhere and have more behind it", () => {
  const bytes = new Uint8Array(3 + 448 + 100).fill(0xee);
  bytes.set(dtb(), 3);
  assert.equal([...showTree(decodeFdt(bytes, 3).root)].join("\n"), source);
});

Deno.test("a tree cut short shows what there is and says where it ends", () => {
  for (let length = 0; length < 448; length++) {
    try {
      const { complaints } = decodeFdt(dtb().subarray(0, length));
      assert.ok(complaints.length > 0, `${length}`);
    } catch (error) {
      assert.ok(error instanceof FormatError, String(error));
      assert.ok(length < 76, `${length}: ${error.message}`);
    }
  }
});

Deno.test("a wrong magic and a later version are refused", () => {
  assert.throws(() => decodeFdt(new Uint8Array(64)), /fdt_header\.magic at 0x0: needs 0xd00dfeed/);
  const later = dtb();
  later[0x1b] = 18;
  assert.throws(() => decodeFdt(later), /last_comp_version at 0x18: needs a version up to 17/);
});

/** Tokens as a tree of version 17 with an empty name list. */
function treeOf(tokens: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(40 + 16 + tokens.length * 4);
  const view = new DataView(bytes.buffer);
  const header = [0xd00dfeed, bytes.length, 56, bytes.length, 40, 17, 16, 0, 0, tokens.length * 4];
  header.forEach((word, i) => view.setUint32(4 * i, word));
  tokens.forEach((word, i) => view.setUint32(56 + 4 * i, word));
  return bytes;
}

Deno.test("trees that are none become complaints, not loops", () => {
  const node = [1, 0];
  const cases: readonly (readonly [readonly number[], string])[] = [
    [[...node, 2, 9], ""],
    [[...node, 2], "fdt.no-end"],
    [[...node, 9], "fdt.nesting"],
    [[2, 9], "fdt.nesting"],
    [[...node, 2, ...node, 2, 9], "fdt.nesting"],
    [[...node, 3, 0xffffffff, 0, 9], "fdt.truncated"],
    [[3, 0, 0, 9], "fdt.nesting"],
    [[...node, 3, 0, 0, 2, 9], "fdt.property-name"],
    [[7], "fdt.token"],
    [[1, 0x61616161], "fdt.node-name"],
    [[4, 4, ...node, 4, 2, 9], ""],
    [[...Array.from({ length: 100 }, () => node).flat(), 9], "fdt.nesting"],
  ];
  for (const [tokens, rule] of cases) {
    assert.equal(decodeFdt(treeOf(tokens)).complaints[0]?.rule ?? "", rule, tokens.join(" "));
  }
});

Deno.test("any flipped bytes give a value or a FormatError", () => {
  const whole = dtb();
  const flip = fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 }));
  fc.assert(
    fc.property(fc.array(flip, { minLength: 1, maxLength: 6 }), (flips) => {
      const bytes = whole.slice();
      for (const [at, value] of flips) bytes[at] = value;
      try {
        for (const line of showTree(decodeFdt(bytes).root)) assert.ok(line.length < 4096);
      } catch (error) {
        assert.ok(error instanceof FormatError, String(error));
      }
    }),
    { seed: 6, numRuns: 3000 },
  );
});
