import assert from "node:assert/strict";
import { image, images, type Manifest, readImage } from "./images.ts";
import { wanted } from "./wanted.ts";

Deno.test("images() is empty where nothing was fetched", async () => {
  const folder = await Deno.makeTempDir();
  try {
    assert.deepEqual(images(folder), []);
    assert.equal(image("linux-6.1-686", folder), undefined);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("images() gives what the manifest has, with paths that can be opened", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const manifest: Manifest = {
      schema: 1,
      images: [{
        id: "memdisk",
        kind: "header",
        package: "syslinux-common",
        version: "1",
        architecture: "amd64",
        suite: "bookworm",
        path: "memdisk/memdisk",
        size: 3,
        sha256: "0",
        what: "a disk",
      }],
    };
    await Deno.mkdir(`${folder}/memdisk`);
    await Deno.writeFile(`${folder}/memdisk/memdisk`, Uint8Array.of(1, 2, 3));
    await Deno.writeTextFile(`${folder}/manifest.json`, JSON.stringify(manifest));
    const one = image("memdisk", folder);
    assert.ok(one !== undefined);
    assert.deepEqual([...readImage(one)], [1, 2, 3]);
    assert.equal(image("other", folder), undefined);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the table of wanted images names each file once and no version of a package", () => {
  const ids = wanted.flatMap((row) => row.files.map((file) => file.id ?? row.id));
  assert.equal(new Set(ids).size, ids.length);
  const rows = wanted.map((row) => row.id);
  assert.equal(new Set(rows).size, rows.length);
  for (const row of wanted) {
    assert.doesNotMatch(row.package, /\d+\.\d+\.\d+/, row.id);
    assert.ok(row.files.some((file) => file.atLeast === undefined), row.id);
  }
});
