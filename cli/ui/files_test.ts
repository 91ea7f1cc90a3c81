import assert from "node:assert/strict";
import { FormatError } from "../../formats/errors.ts";
import {
  about,
  InputError,
  isText,
  readAhead,
  readInput,
  UsageError,
  writeOutput,
} from "./files.ts";
import { MemoryTerminal } from "./terminal.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

async function inFolder(work: (folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const names = async (folder: string) =>
  (await Array.fromAsync(Deno.readDir(folder))).map((entry) => entry.name).sort();

Deno.test("readInput() reads a file whole", () =>
  inFolder(async (folder) => {
    const path = `${folder}/image`;
    await Deno.writeFile(path, new Uint8Array([0, 1, 2, 255]));
    assert.deepEqual(await readInput(path), { path, bytes: new Uint8Array([0, 1, 2, 255]) });
  }));

Deno.test("readInput() gathers standard input to its end", async () => {
  const stdin = ReadableStream.from([bytes("one "), bytes(""), bytes("two")]);
  assert.deepEqual(await readInput("-", stdin), { path: "-", bytes: bytes("one two") });
  assert.deepEqual(await readInput("-", ReadableStream.from([])), {
    path: "-",
    bytes: new Uint8Array(),
  });
});

Deno.test("readAhead() reads as readInput() does, and tells of trouble only who asks", () =>
  inFolder(async (folder) => {
    const path = `${folder}/a`;
    await Deno.writeFile(path, bytes("one"));
    const read = readAhead(path);
    assert.deepEqual(await read(path), { path, bytes: bytes("one") });
    // The second time is a second reading.
    await Deno.writeFile(path, bytes("two"));
    assert.deepEqual(await read(path), { path, bytes: bytes("two") });
    const missing = readAhead(`${folder}/missing`);
    assert.deepEqual(await missing(path), { path, bytes: bytes("two") });
    await assert.rejects(missing(`${folder}/missing`), InputError);
  }));

Deno.test("readInput() puts zeros where it need not read, and reads all else", () =>
  inFolder(async (folder) => {
    const path = `${folder}/a`;
    const file = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251 + 1);
    await Deno.writeFile(path, file);
    for (
      const [start, end] of [[70_000, 200_000], [1000, 200_000], [0, 300_000], [5, 6]] as const
    ) {
      const seen: number[] = [];
      const { bytes } = await readInput(path, undefined, (head, size) => {
        seen.push(head.length, size);
        return { start, end };
      });
      assert.deepEqual(seen, [65536, 300_000]);
      // What was read before it was known that it is not needed stays.
      const from = Math.max(start, 65536);
      const expected = file.slice();
      if (end > from) expected.fill(0, from, end);
      assert.deepEqual(bytes, expected);
    }
    assert.deepEqual((await readInput(path, undefined, () => undefined)).bytes, file);
  }));

Deno.test("readInput() says that standard input can be read only once", async () => {
  const stdin = ReadableStream.from([bytes("one")]);
  await readInput("-", stdin);
  await assert.rejects(readInput("-", stdin), UsageError);
});

Deno.test("readInput() names the file and what is wrong with it, exit code 3", () =>
  inFolder(async (folder) => {
    const wrong = async (path: string, problem: string) => {
      await assert.rejects(readInput(path), (error) => {
        assert.ok(error instanceof InputError, `${error}`);
        assert.equal(error.message, `${path}: ${problem}`);
        assert.equal(error.code, 3);
        return true;
      });
    };
    await Deno.writeTextFile(`${folder}/file`, "");
    await Deno.symlink("loop", `${folder}/loop`);
    await wrong(folder, "is a directory");
    await wrong(`${folder}/none`, "no such file");
    await wrong(`${folder}/file/below`, "a part of the path is not a folder");
    await wrong("/dev/zero", "is a device");
    await assert.rejects(readInput(`${folder}/loop`), InputError);
  }));

Deno.test("writeOutput() replaces a file as a whole and leaves nothing beside it", () =>
  inFolder(async (folder) => {
    const path = `${folder}/vmlinux`;
    await writeOutput(path, bytes("first, longer"), new MemoryTerminal());
    await Deno.chmod(path, 0o640);
    await writeOutput(path, bytes("second"), new MemoryTerminal());
    assert.equal(await Deno.readTextFile(path), "second");
    assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o640);
    assert.deepEqual(await names(folder), ["vmlinux"]);
  }));

Deno.test("writeOutput() writes through a symbolic link, which stays one", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/target`, "old");
    await Deno.symlink("target", `${folder}/link`);
    await writeOutput(`${folder}/link`, bytes("new"), new MemoryTerminal());
    assert.equal(await Deno.readTextFile(`${folder}/target`), "new");
    assert.ok((await Deno.lstat(`${folder}/link`)).isSymlink);
  }));

Deno.test("writeOutput() to a device writes to it", async () => {
  await writeOutput("/dev/null", bytes("gone"), new MemoryTerminal());
  assert.ok((await Deno.stat("/dev/null")).isCharDevice);
});

Deno.test("writeOutput() names the file that cannot be written", () =>
  inFolder(async (folder) => {
    const terminal = new MemoryTerminal();
    await assert.rejects(writeOutput(folder, bytes("x"), terminal), {
      message: `${folder}: is a directory`,
    });
    await assert.rejects(writeOutput(`${folder}/none/x`, bytes("x"), terminal), {
      message: `${folder}/none/x: no such folder`,
    });
    assert.deepEqual(await names(folder), []);
  }));

Deno.test("writeOutput() keeps binary data off a terminal, but not out of a pipe", async () => {
  const elf = new Uint8Array([0x7f, 0x45, 0x4c, 0x46]);
  const screen = new MemoryTerminal({ isTerminal: true });
  await assert.rejects(writeOutput("-", elf, screen), UsageError);
  assert.equal(screen.screen, "");
  await writeOutput("-", bytes("CONFIG_X86=y\n"), screen);
  assert.equal(screen.stdout, "CONFIG_X86=y\n");
  const pipe = new MemoryTerminal();
  await writeOutput("-", elf, pipe);
  assert.deepEqual(pipe.bytes(), elf);
});

Deno.test("isText() tells text from what would upset a terminal", () => {
  assert.ok(isText(bytes("plain\ttext\r\n核\n")));
  assert.ok(isText(new Uint8Array()));
  assert.ok(!isText(bytes("\x1b[2J")));
  assert.ok(!isText(new Uint8Array([0])));
  assert.ok(!isText(new Uint8Array([0xc3, 0x28])));
});

Deno.test("about() puts the file's name before a format's error, and only there", async () => {
  const wrong = () => {
    throw new FormatError({ structure: "setup_header", offset: 0x1f1 }, "needs 15 bytes");
  };
  const named = { message: "vmlinuz: setup_header at 0x1f1: needs 15 bytes", code: 3 };
  assert.throws(() => about("vmlinuz", wrong), named);
  // deno-lint-ignore require-await
  await assert.rejects(about("vmlinuz", async () => wrong()), named);
  assert.equal(about("vmlinuz", () => 5), 5);
  assert.throws(() =>
    about("vmlinuz", () => {
      throw new TypeError("ours");
    }), TypeError);
});
