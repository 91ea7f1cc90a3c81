import assert from "node:assert/strict";
import { gzipSync } from "fflate";
import { joined, latin1 } from "../testdata/elf_builder.ts";
import { FormatError } from "./errors.ts";
import { configString, decodeConfig, findIkconfig, readIkconfig } from "./ikconfig.ts";

const text = `#
# Automatically generated file; DO NOT EDIT.
# Linux/x86 6.1.192 Kernel Configuration
#
CONFIG_CC_VERSION_TEXT="gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0"
CONFIG_64BIT=y
CONFIG_INIT_ENV_ARG_LIMIT=32
# CONFIG_COMPILE_TEST is not set
CONFIG_IKCONFIG=m
CONFIG_PHYSICAL_START=0x1000000
CONFIG_LOCALVERSION=""
CONFIG_CMDLINE="a=\\"b\\" c\\\\d #x"
# end of General setup
`;

const kernel = (...parts: (string | Uint8Array)[]) =>
  joined(parts.map((part) => typeof part === "string" ? latin1(part) : part));
const packed = gzipSync(latin1(text), { mtime: 0 });

Deno.test("decodeConfig() keeps order, letters and what is not set", () => {
  assert.deepEqual([...decodeConfig(text)], [
    ["CONFIG_CC_VERSION_TEXT", '"gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0"'],
    ["CONFIG_64BIT", "y"],
    ["CONFIG_INIT_ENV_ARG_LIMIT", "32"],
    ["CONFIG_COMPILE_TEST", "n"],
    ["CONFIG_IKCONFIG", "m"],
    ["CONFIG_PHYSICAL_START", "0x1000000"],
    ["CONFIG_LOCALVERSION", '""'],
    ["CONFIG_CMDLINE", '"a=\\"b\\" c\\\\d #x"'],
  ]);
});

Deno.test("decodeConfig() takes the last word on an option, and any line ends", () => {
  const config = decodeConfig(
    "CONFIG_A=y\r\nCONFIG_B=m\r\n# CONFIG_A is not set\r\nnonsense\r\n=\r\n",
  );
  assert.deepEqual([...config], [["CONFIG_A", "n"], ["CONFIG_B", "m"]]);
  assert.equal(decodeConfig("").size, 0);
});

Deno.test("decodeConfig() takes time in proportion to a line, whatever is in it", () => {
  const spaces = " ".repeat(1 << 20);
  const start = performance.now();
  const config = decodeConfig(`CONFIG_A=${spaces}x${spaces}\n#${spaces}\n${"\n".repeat(1 << 20)}`);
  assert.equal(config.get("CONFIG_A")?.length, (1 << 20) + 1);
  assert.ok(performance.now() - start < 2000);
});

Deno.test("configString() takes quotes and backslashes off, of strings only", () => {
  const config = decodeConfig(text);
  assert.equal(configString(config.get("CONFIG_CMDLINE") ?? ""), 'a="b" c\\d #x');
  assert.equal(configString(config.get("CONFIG_LOCALVERSION") ?? "?"), "");
  assert.equal(configString("0x1000000"), "0x1000000");
  assert.equal(configString('"'), '"');
});

Deno.test("findIkconfig() finds the stream between its marks", () => {
  const bytes = kernel("code IKCFG_ST is looked for here ", "IKCFG_ST", packed, "IKCFG_ED", "code");
  assert.deepEqual(findIkconfig(bytes), { offset: 41, length: packed.length });
});

Deno.test("findIkconfig() finds nothing in marks without a stream, or without an end", () => {
  assert.equal(findIkconfig(kernel("IKCFG_ST", "IKCFG_ED")), undefined);
  assert.equal(findIkconfig(kernel("IKCFG_ST", packed)), undefined);
  assert.equal(findIkconfig(kernel("IKCFG_ST")), undefined);
  assert.equal(findIkconfig(new Uint8Array()), undefined);
});

Deno.test("readIkconfig() unpacks the text within its limit", async () => {
  const bytes = kernel("IKCFG_ST", packed, "IKCFG_ED");
  assert.equal(await readIkconfig(bytes, { limit: 4096 }), text);
  assert.equal(await readIkconfig(latin1("no such thing"), { limit: 4096 }), undefined);
  await assert.rejects(readIkconfig(bytes, { limit: 100 }), FormatError);
});

Deno.test("readIkconfig() throws a FormatError for a damaged stream", async () => {
  // Behind the ten bytes of header: a block of the type that there is not.
  const damaged = packed.with(10, 0x07);
  await assert.rejects(
    readIkconfig(kernel("IKCFG_ST", damaged, "IKCFG_ED"), { limit: 4096 }),
    FormatError,
  );
});
