import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { gzipSync } from "fflate";
import { judgePlatforms } from "../core/evidence.ts";
import { inspect } from "../core/inspection.ts";
import { fieldOf, inspectionJson } from "../core/json.ts";
import { bzImage } from "../testdata/bzimage_builder.ts";
import { elf } from "../testdata/elf_builder.ts";
import { completionsFor } from "./completions.ts";
import { commandsOf, offers, wordsOf } from "./completions/model.ts";
import { documentFields, type Vocabulary, vocabulary } from "./completions/vocabulary.ts";
import { type Shell, shells, zeropage } from "./program.ts";

/** Few words, so that the scripts can be read as a whole. */
const words: Vocabulary = {
  platforms: ["pc", "lguest", "xen", "intel-mid"],
  loaders: ["zeropage", "qemu", "grub", "gujin"],
  sections: ["setup_header", "kernel_info", "elf"],
  fields: ["protocol", "setup_header.version", "boot_params.e820_table[0].addr"],
  settable: ["setup_header.vid_mode", "boot_params.e820_table[0].addr"],
  parts: ["vmlinux", "payload"],
  structs: ["boot_params", "setup_header"],
  shells,
};

async function succeeds(command: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { code, stdout, stderr } = await new Deno.Command(command, {
      args: [...args],
      stdin: "null",
    }).output();
    assert.equal(new TextDecoder().decode(stderr), "");
    assert.equal(code, 0);
    return new TextDecoder().decode(stdout);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return undefined;
  }
}

async function withScript(shell: Shell, work: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile({ suffix: `.${shell}` });
  try {
    await Deno.writeTextFile(path, await completionsFor(shell, words));
    await work(path);
  } finally {
    await Deno.remove(path);
  }
}

const commands = commandsOf(zeropage);

Deno.test("every value in the command tables has something to offer, or says that it has not", () => {
  for (const { options } of commands) {
    for (const { long, value } of options) {
      if (value) assert.ok(value.name in offers, `${long} ${value.name}`);
    }
  }
});

Deno.test("what this release knows is in the completions", async () => {
  const known = await vocabulary();
  for (const offer of Object.values(offers)) {
    if ("of" in offer) assert.ok(wordsOf(offer, known).length > 1, offer.of);
  }
  for (const list of Object.values(known)) assert.equal(new Set(list).size, list.length);
  assert.ok(known.platforms.includes("lguest"));
  assert.ok(known.loaders.includes("kexec"));
  assert.ok(known.fields.includes("setup_header.setup_sects"));
  assert.ok(known.fields.includes("boot_params.e820_table[0].addr"));
  assert.ok(!known.fields.some((field) => /_pad|\[1\]/.test(field)));
  assert.ok(known.settable.includes("setup_header.vid_mode"));
  assert.ok(known.structs.includes("boot_params"));
  assert.ok(known.sections.includes("setup_header"));
});

Deno.test("every field path offered is in the document of some image", async () => {
  const kernel = elf();
  // gzip's own last word is the uncompressed size.
  const image = bzImage({ payload: gzipSync(kernel) });
  const inspection = await inspect("bzImage", image);
  const document = inspectionJson(inspection, await judgePlatforms(inspection));
  for (const path of documentFields) {
    assert.notEqual(fieldOf(document, path), undefined, path);
  }
});

for (const shell of shells) {
  Deno.test(`completions for ${shell} are as reviewed`, async (t) => {
    await t.assertSnapshot(await completionsFor(shell, words));
  });

  Deno.test(`${shell} finds no fault with its completions, where it is installed`, () =>
    withScript(shell, async (path) => {
      await succeeds(shell, ["-n", path]);
      const real = `${path}.real`;
      await Deno.writeTextFile(real, await completionsFor(shell));
      await succeeds(shell, ["-n", real]);
      await Deno.remove(real);
    }));
}

/** What follows a line, and what is offered there. */
const cases: readonly (readonly [line: string, offered: readonly string[]])[] = [
  ["bootinfo --pl", ["--platform"]],
  ["bootinfo --platform ", ["pc", "lguest", "xen", "intel-mid"]],
  ["zeropage info --platform l", ["lguest"]],
  ["bootinfo --section setup", ["setup_header"]],
  ["bootinfo --field boot_params.", ["boot_params.e820_table[0].addr"]],
  ["bootinfo --all --extract p", ["payload"]],
  ["bootinfo --set setup", ["setup_header.vid_mode="]],
  ["bootinfo --color ", ["auto", "always", "never"]],
  ["bootinfo --btf ", ["boot_params", "setup_header"]],
  ["bootdiff --loader g", ["grub", "gujin"]],
  ["bootdiff --loader qemu,g", ["qemu,grub", "qemu,gujin"]],
  ["zeropage ", ["info", "run", "diff", "completions"]],
  ["zeropage d", ["diff"]],
  ["zeropage completions ", ["bash", "zsh", "fish"]],
  ["zeropage completions f", ["fish"]],
  ["bootrun --ver", ["--version"]],
];

Deno.test("bash offers what belongs there", () =>
  withScript("bash", async (path) => {
    for (const [line, offered] of cases) {
      const typed = line.split(" ");
      const answer = await succeeds("bash", [
        "-c",
        `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); ` +
        `_zeropage; ((\${#COMPREPLY[@]})) && printf '%s\\n' "\${COMPREPLY[@]}"; exit 0`,
        "bash",
        path,
        ...typed,
      ]);
      // Without bash there is nothing to hold.
      if (answer === undefined) return;
      assert.deepEqual(answer.trim().split("\n"), offered, line);
    }
  }));

Deno.test("bash looks behind the equals sign, and offers files where files belong", () =>
  withScript("bash", async (path) => {
    const reply = (...typed: string[]) =>
      succeeds("bash", [
        "-c",
        `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); ` +
        `_zeropage; echo "\${COMPREPLY[*]}"`,
        "bash",
        path,
        ...typed,
      ]);
    // The line editor makes three words of --platform=l.
    assert.ok([undefined, "lguest\n"].includes(await reply("bootinfo", "--platform", "=", "l")));
    assert.ok([undefined, "auto always never\n"].includes(await reply("bootinfo", "--color", "=")));
    // An empty reply is completed as a file name.
    assert.ok([undefined, "\n"].includes(await reply("bootinfo", "--output", "vml")));
    assert.ok([undefined, "\n"].includes(await reply("bootinfo", "vml")));
    const registered = await succeeds("bash", ["-c", `source "${path}"; complete -p bootdiff`]);
    assert.ok([undefined, "complete -o default -F _zeropage bootdiff\n"].includes(registered));
  }));

Deno.test("fish offers what belongs there, where it is installed", () =>
  withScript("fish", async (path) => {
    for (const [line, offered] of cases) {
      const answer = await succeeds("fish", [
        "--no-config",
        "-c",
        `source ${path}; complete -C '${line}'`,
      ]);
      if (answer === undefined) return;
      const names = answer.trim().split("\n").map((row) => row.split("\t")[0]);
      assert.deepEqual(names.sort(), [...offered].sort(), line);
    }
  }));

Deno.test("zeropage completions needs no permission", async () => {
  const answer = await succeeds(Deno.execPath(), [
    "run",
    "--no-prompt",
    fileURLToPath(new URL("./zeropage.ts", import.meta.url)),
    "completions",
    "bash",
  ]);
  assert.equal(answer, await completionsFor("bash"));
});
