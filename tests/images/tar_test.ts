import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { tarMembers } from "./tar.ts";

/**
 * Made by GNU tar (`--format=gnu`) and gzip of two folders: `boot` with
 * config-6.1 (a line), vmlinuz-6.1 (700 times "a") and a link to it, `usr` with
 * a file whose name has 124 characters.
 */
const sample = gunzipSync(Uint8Array.from(
  atob(
    "H4sIAAAAAAACA+3YT2uDMBgG8Jz3KfIFqknMn1OhtNBRkO3S+3BjFamNYOug/fTL1l6mTGlZMto+v4MR9CB5fF9Nov" +
      "i1qnYx8Yk5Rqnv0WmP3XPONFeEKhJAs91lNaWkdtPQd9/Q9SsVHfN/q+yqyEc64p7y11L+nj83rfxFwlz+DPl7N3t+" +
      "mi8eX7ScLpbj/QOB+3Kq/49NWdjm4LH/G3NG/5fcCELF6ak8tSXUfyd/PzM90P+5MLLd/5US6P8hZABXCl/vv+j/zb" +
      "b2u/y7ZP0ndYL1X5j8o3iSVjZPC7v2mH/f+k+wpJU/V0YTmiL/QPVfuhdg9A8Hm23e0YNvPf/B/R+mftZ/Ijj+/8P4" +
      "yge7PgAAAAAAAAAAt+sTnclc8wAoAAA=",
  ),
  (c) => c.charCodeAt(0),
));

function stream(bytes: Uint8Array, chunk: number): ReadableStream<Uint8Array> & { cut: boolean } {
  let at = 0;
  const made = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at += chunk));
    },
    cancel() {
      made.cut = true;
    },
  }, { highWaterMark: 0 }) as ReadableStream<Uint8Array> & { cut: boolean };
  made.cut = false;
  return made;
}

async function names(bytes: Uint8Array, chunk: number): Promise<[string, number][]> {
  const found: [string, number][] = [];
  for await (const { name, bytes: content } of tarMembers(stream(bytes, chunk), () => true)) {
    found.push([name, content.length]);
  }
  return found;
}

const long = `/usr/${"long-".repeat(24)}name`;

Deno.test("tarMembers() gives regular files, long names too, however the stream is cut", async () => {
  const expected = [["/boot/config-6.1", 15], ["/boot/vmlinuz-6.1", 700], [long, 5]];
  for (const chunk of [1, 511, 512, 513, 4096, 1 << 20]) {
    assert.deepEqual(await names(sample, chunk), expected, `chunks of ${chunk}`);
  }
});

Deno.test("tarMembers() reads only what is kept, and lets go of the stream when left", async () => {
  const source = stream(sample, 512);
  for await (const { bytes } of tarMembers(source, (name) => name.includes("vmlinuz"))) {
    assert.ok(bytes.every((byte) => byte === "a".charCodeAt(0)));
    break;
  }
  assert.equal(source.cut, true);
});

Deno.test("tarMembers() says that a stream ends early", async () => {
  for (const length of [100, 512 * 3 + 20, 512 * 5]) {
    await assert.rejects(names(sample.subarray(0, length), 512), /tar stream ends \d+ bytes early/);
  }
});
