import assert from "node:assert/strict";
import { bzImage } from "../testdata/bzimage_builder.ts";
import { choose, demo, type Places, program } from "./demo.ts";
import { UsageError } from "./ui/errors.ts";
import { runProgram } from "./ui/main.ts";
import { MemoryTerminal } from "./ui/terminal.ts";

/** A machine with these files, by path below its root. */
async function onMachine(
  files: readonly string[],
  work: (places: Places, root: string) => Promise<void>,
  fetches: readonly string[] = [],
): Promise<void> {
  const root = await Deno.makeTempDir();
  const write = async (file: string) => {
    const path = `${root}/${file}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.writeFile(path, file.endsWith("empty") ? new Uint8Array() : bzImage());
  };
  try {
    for (const file of files) await write(file);
    await work({
      boot: `${root}/boot`,
      images: `${root}/images`,
      fetch: async () => {
        for (const file of fetches) await write(file);
        return fetches.length > 0;
      },
      make: async () => {
        await write("made");
        return `${root}/made`;
      },
    }, root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

const chosen = async (places: Places, root: string, argument?: string) => {
  const { path } = await choose(argument, new MemoryTerminal(), places);
  return path.replace(`${root}/`, "");
};

Deno.test("the demo takes the image it is given", () =>
  onMachine(["boot/vmlinuz-6.1"], async (places, root) => {
    assert.equal(await chosen(places, root, "bzImage"), "bzImage");
  }));

Deno.test("the demo takes the newest kernel in /boot, by number, that it can make out", () =>
  onMachine(
    ["boot/vmlinuz-6.9.0", "boot/vmlinuz-6.12.0", "boot/vmlinuz-7.0-empty", "boot/initrd.img-9"],
    async (places, root) => {
      assert.equal(await chosen(places, root), "boot/vmlinuz-6.12.0");
    },
  ));

Deno.test("without one in /boot the demo takes one fetched before, then fetches, then makes one", async () => {
  const cached = "images/linux-6.12-cloud-amd64/vmlinuz-6.12.1";
  await onMachine([cached, "images/linux-6.1-amd64/vmlinuz-6.1.9"], async (places, root) => {
    assert.equal(await chosen(places, root), cached);
  });
  await onMachine([], async (places, root) => {
    assert.equal(await chosen(places, root), cached);
  }, [cached]);
  await onMachine([], async (places, root) => {
    assert.equal(await chosen(places, root), "made");
  });
});

Deno.test("the demo says why it took the image and shows every view of it", () =>
  onMachine([], async (places) => {
    const terminal = new MemoryTerminal();
    const choice = await choose(undefined, terminal, places);
    // The made image has no kernel inside, which --check may well complain of.
    assert.equal(await demo(terminal, choice), 0);
    assert.equal(terminal.stderr, "");
    assert.match(terminal.stdout, /none could be fetched, so this one was made/);
    for (const view of ["", "--map ", "--platform pc ", "--check "]) {
      assert.ok(terminal.stdout.includes(`\n$ bootinfo ${view}`), view);
    }
    assert.match(terminal.stdout, /setup_header\.cmd_line_ptr/);
    for (const line of terminal.stdout.split("\n")) {
      if (!/^[ $]|\//.test(line)) assert.ok(line.length <= 80, line);
    }
  }));

Deno.test("where nothing is found and nothing can be made, the demo says so", () =>
  onMachine([], async (places) => {
    const make = () => Promise.reject(new UsageError("there is no kernel image here to show"));
    await assert.rejects(
      choose(undefined, new MemoryTerminal(), { ...places, make }),
      UsageError,
    );
  }));

Deno.test("the demo is a command like others: it has help, and refuses what it does not know", async () => {
  const terminal = new MemoryTerminal();
  assert.equal(await runProgram(program, ["--help"], terminal), 0);
  assert.match(terminal.stdout, /^demo: /);
  assert.equal(await runProgram(program, ["--colour", "never"], terminal), 2);
  assert.equal(terminal.stderr, 'demo: unknown option "--colour"\n  Did you mean "--color"?\n');
});

Deno.test("the demo ends with the code of a view that does not work", async () => {
  const terminal = new MemoryTerminal();
  assert.equal(await demo(terminal, { path: "no-such-image", why: "" }), 3);
  assert.match(terminal.stderr, /no-such-image: no such file/);
});
