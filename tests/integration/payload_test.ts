/**
 * The payload of every real kernel: found by header and by scan, unpacked,
 * and equal to what the native tool makes of it.
 */
import assert from "node:assert/strict";
import { decompress } from "../../formats/payload/decompress.ts";
import { findPayload } from "../../formats/payload/payload.ts";
import { decodeSetupHeader, type FoundHeader } from "../../formats/setup_header.ts";
import { forEachImage, readImage } from "../images/images.ts";

/** How the tools unpack from standard input. */
const tools: Readonly<Record<string, readonly [string, ...string[]]>> = {
  xz: ["xz", "-dc"],
  lz4: ["lz4", "-dc"],
  zstd: ["zstd", "-dc", "--memory=128MiB"],
};

const said = new Set<string>();

/** SHA-256 of what the tool makes of a stream; `undefined`, and a word about it, without the tool. */
async function byTool(format: string, stream: Uint8Array): Promise<string | undefined> {
  const [tool, ...args] = tools[format] ?? ["false"];
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, stream);
    const { stdout } = await new Deno.Command("sh", {
      args: ["-c", `command -v ${tool} > /dev/null && ${tool} ${args.join(" ")} < ${path}`],
      stderr: "null",
    }).output();
    if (stdout.length > 0) return await digest(stdout);
    if (!said.has(tool)) console.warn(`${tool} skipped: it is not installed`);
    said.add(tool);
    return undefined;
  } finally {
    await Deno.remove(path);
  }
}

async function digest(bytes: Uint8Array): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", bytes.slice());
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

forEachImage(
  "a kernel unpacks to its size word, as its tool unpacks it",
  ["linux"],
  async (one) => {
    const image = readImage(one);
    const header = decodeSetupHeader(image);
    const payload = findPayload(image, header);
    assert.ok(payload?.format && payload.sizeWord !== undefined);
    assert.equal(payload.found, "payload_offset");
    const stream = image.subarray(payload.offset, payload.offset + payload.streamLength);
    const result = await decompress(payload.format, stream, { size: payload.sizeWord });
    assert.equal(result.bytes.length, payload.sizeWord);
    assert.equal(result.consumed, payload.streamLength);
    assert.deepEqual([...result.bytes.subarray(0, 4)], [0x7f, 0x45, 0x4c, 0x46]);
    if (payload.format === "xz") assert.deepEqual(result.checks, ["CRC32"]);

    const expected = await byTool(payload.format, stream);
    if (expected !== undefined) assert.equal(await digest(result.bytes), expected);
  },
);

forEachImage("a scan finds the payload that the header tells of", ["linux"], (one) => {
  const image = readImage(one);
  const header = decodeSetupHeader(image);
  const { payload_offset: _, payload_length: __, ...older } = header.fields;
  const told = findPayload(image, header);
  const found = findPayload(image, { ...header, version: 0x207, fields: older } as FoundHeader);
  assert.equal(found?.found, "scan");
  assert.equal(found.offset, told?.offset);
  assert.equal(found.format, told?.format);
});
