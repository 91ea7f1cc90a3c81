/** Real kernels compared: what a kernel developer would ask of two of them. */

import assert from "node:assert/strict";
import { bootdiff } from "../../cli/program.ts";
import { runProgram } from "../../cli/ui/main.ts";
import { MemoryTerminal } from "../../cli/ui/terminal.ts";
import { type FetchedImage, forEachImage, withImages } from "../images/images.ts";

interface JsonChange {
  readonly section: string;
  readonly path: string;
  readonly kind: string;
  readonly was?: unknown;
  readonly is?: unknown;
  readonly meaning: string;
}

async function run(...argv: string[]) {
  const terminal = new MemoryTerminal();
  const code = await runProgram(bootdiff, argv, terminal);
  return { code, out: terminal.stdout, err: terminal.stderr };
}

/** Changes by "section path". */
async function changesOf(...argv: string[]): Promise<Map<string, JsonChange>> {
  const { code, out, err } = await run("--json", ...argv);
  assert.equal(err, "");
  const { changes }: { changes: JsonChange[] } = JSON.parse(out);
  assert.equal(code, changes.length > 0 ? 1 : 0);
  const byPath = new Map(changes.map((change) => [`${change.section} ${change.path}`, change]));
  assert.equal(byPath.size, changes.length, "a path is told twice");
  return byPath;
}

const paths = (images: readonly FetchedImage[]): string[] => images.map(({ path }) => path);

withImages(
  "6.1 and 6.12: entries moved, sections came, types stayed, one protocol",
  ["linux-6.1-cloud-amd64", "linux-6.12-cloud-amd64"],
  async (images) => {
    const changes = await changesOf(...paths(images));
    const get = (path: string) => changes.get(path);
    assert.match(String(get("release release")?.was), /^6\.1\.0-/);
    assert.match(String(get("release release")?.is), /^6\.12\./);
    assert.equal(get("protocol protocol"), undefined);
    assert.equal(get("kernel elf.entry")?.kind, "moved");
    assert.equal(get("notes Xen XEN_ELFNOTE_PHYS32_ENTRY")?.kind, "moved");
    assert.equal(get("notes Xen XEN_ELFNOTE_PHYS32_RELOC")?.kind, "added");
    assert.equal(get("sections .orc_header")?.kind, "added");
    assert.equal(get("sections .text")?.kind, "resized");
    assert.equal(get("platforms lguest"), undefined);
    assert.equal(get("contents payload"), undefined);
    // The zero page is the same in both, by their own types.
    const layout = await run("--layout", ...paths(images));
    assert.equal(layout.code, 0, layout.out);
  },
);

withImages(
  "5.10 and 6.1 for i386: the PE header changed its shape, setup_data its last type",
  ["linux-5.10-686", "linux-6.1-686"],
  async (images) => {
    const changes = await changesOf(...paths(images));
    const layout = changes.get("efi layout");
    assert.deepEqual([layout?.was, layout?.is], ["old", "new"]);
    assert.equal(changes.get("efi section .reloc")?.kind, "removed");
    assert.equal(changes.get("efi section .data")?.kind, "added");
    assert.match(changes.get("efi DllCharacteristics")?.meaning ?? "", /\+NX_COMPAT/);
    assert.match(
      changes.get("kernel_info kernel_info.setup_type_max")?.meaning ?? "",
      /SETUP_JAILHOUSE\) → .*SETUP_RNG_SEED\)/,
    );
    assert.ok([...changes.values()].every(({ section }) => section !== "complaints"));
  },
);

withImages(
  "a kernel and its unsigned twin differ in the signature and in nothing else",
  ["linux-6.1-cloud-amd64", "linux-6.1-cloud-amd64-unsigned"],
  async (images, t) => {
    const { out } = await run("--json", "--section", "release", ...paths(images));
    const ignore = JSON.parse(out).changes.length > 0;
    const why = ignore ? " (skipped: the archive has them from different builds)" : "";
    await t.step({
      name: `of one build${why}`,
      ignore,
      fn: async () => {
        const changes = await changesOf(...paths(images));
        const sections = new Set([...changes.values()].map(({ section }) => section));
        assert.deepEqual([...sections], ["signature", "crc", "contents"]);
        // Checksum and directory entry lie in the PE header, the table behind the image.
        assert.deepEqual(
          [...changes.keys()].filter((path) => path.startsWith("contents")),
          ["contents file size", "contents PE header", "contents certificate"],
        );
        assert.deepEqual(changes.get("crc crc")?.is, "ok");
      },
    });
  },
);

forEachImage("an image compared with itself is identical, and --all finds no difference", [
  "linux",
  "header",
], async ({ path }) => {
  const { code, out } = await run(path, path);
  assert.equal(code, 0);
  assert.match(out, /: identical, /);
  const all = await run("--json", "--all", path, path);
  assert.equal(all.code, 0);
  const { changes }: { changes: JsonChange[] } = JSON.parse(all.out);
  assert.ok(changes.length > 10);
  assert.ok(changes.every(({ kind }) => kind === "same"));
});

withImages(
  "two configurations agree with what their lines say",
  ["linux-6.1-cloud-amd64.config", "linux-6.12-cloud-amd64.config"],
  async (images) => {
    const lines = images.map(({ path }) =>
      new Set(Deno.readTextFileSync(path).split("\n").filter((line) => /CONFIG_\w+[= ]/.test(line)))
    );
    const [a, b] = lines;
    assert.ok(a && b);
    const changes = await changesOf("--config", ...paths(images));
    const of = (kind: string) => [...changes.values()].filter((change) => change.kind === kind);
    const [changed, removed, added] = ["changed", "removed", "added"].map((kind) =>
      of(kind).length
    );
    // A changed option is a line less and a line more.
    assert.equal([...a].filter((line) => !b.has(line)).length, (changed ?? 0) + (removed ?? 0));
    assert.equal([...b].filter((line) => !a.has(line)).length, (changed ?? 0) + (added ?? 0));
  },
);

forEachImage(
  "a kernel's own types agree with the history of its release",
  ["linux"],
  async (image) => {
    const release = /linux-(\d+\.\d+)-/.exec(image.id)?.[1];
    const { code, out, err } = await run("--layout", release ?? "7.2", image.path);
    // i386 kernels are built without types, those of other machines without the zero page.
    if (code === 3) return assert.match(err, /carries no types/);
    assert.equal(code, 0, out);
  },
);

withImages(
  "every pair of loaders hands over pages that can be compared",
  ["linux-6.12-cloud-amd64"],
  async ([image]) => {
    assert.ok(image);
    const { loaderNames } = await import("../../core/loaders/mod.ts");
    for (const other of loaderNames) {
      const argv = ["--zero-page", "--loader", `zeropage,${other}`, image.path];
      const { code, err } = await run(...argv);
      // lguest runs 32-bit guests only, and says so.
      assert.ok(code === (other === "zeropage" ? 0 : 1) || /^bootdiff: .*: /.test(err), other);
    }
  },
);
