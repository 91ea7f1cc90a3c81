/**
 * The command itself, as a user starts it: a process of its own with its own
 * permissions, on real images and on what is none.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { root } from "../tree.ts";
import { type FetchedImage, readImage, withImages } from "../images/images.ts";
import { noOwnPage, ownZeroPage } from "../own_page.ts";

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly bytes: Uint8Array;
  readonly err: string;
}

/** Runs bootinfo with nothing but its own permissions. */
async function bootinfo(args: readonly string[], input?: Uint8Array): Promise<Ran> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--no-prompt", "-P=inspect", "cli/bootinfo.ts", ...args],
    cwd: root,
    stdin: input ? "piped" : "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const feeding = input && new Blob([input.slice()]).stream().pipeTo(child.stdin).catch(() => {});
  const [{ code, stdout, stderr }] = await Promise.all([child.output(), feeding]);
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), bytes: stdout, err: text(stderr) };
}

const KERNEL = "linux-6.1-686";

/** A folder for what a test writes, gone afterwards. */
async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

withImages("bootinfo shows a kernel on one screen", [KERNEL], async ([kernel]) => {
  assert.ok(kernel);
  const { code, out, err } = await bootinfo([kernel.path]);
  assert.deepEqual([code, err], [0, ""]);
  assert.ok(out.split("\n").length <= 24, out);
  for (const word of ["2.15", "6.1.0", "xz", "lguest", "Debian Secure Boot", "No complaints"]) {
    assert.ok(out.includes(word), word);
  }
});

withImages("bootinfo --json prints one document, --field a value of it", [
  KERNEL,
], async ([kernel]) => {
  assert.ok(kernel);
  const { code, out, err } = await bootinfo(["--json", kernel.path]);
  assert.deepEqual([code, err], [0, ""]);
  const document = JSON.parse(out);
  assert.deepEqual([document.schema, document.kind, document.size], [1, "bzImage", kernel.size]);
  const sects = await bootinfo(["--field", "setup_header.setup_sects", kernel.path]);
  assert.deepEqual([sects.code, sects.out], [0, `${readImage(kernel)[0x1f1]}\n`]);
  const wrong = await bootinfo(["--field", "setup_sects", kernel.path]);
  assert.equal(wrong.code, 3);
  assert.match(wrong.err, /has no field setup_sects\n.*"setup_header\.setup_sects"/);
  const images = await bootinfo(["--json", kernel.path, kernel.path]);
  assert.equal(JSON.parse(images.out).images.length, 2);
});

withImages("bootinfo --extract gives the vmlinux that xz gives", [KERNEL], async ([kernel], t) => {
  assert.ok(kernel);
  await inFolder(async (folder) => {
    const [vmlinux, payload] = [join(folder, "vmlinux"), join(folder, "payload.xz")];
    assert.equal((await bootinfo(["--extract", "vmlinux", "-o", vmlinux, kernel.path])).code, 0);
    assert.equal((await bootinfo(["--extract", "payload", "-o", payload, kernel.path])).code, 0);
    const ours = Deno.readFileSync(vmlinux);
    let theirs: Uint8Array | undefined;
    try {
      theirs = new Deno.Command("xz", { args: ["-dc", payload] }).outputSync().stdout;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    await t.step({
      name: `byte by byte${theirs ? "" : " (skipped: xz is not installed)"}`,
      ignore: theirs === undefined,
      fn() {
        // Relocations follow the ELF in the payload.
        assert.ok(theirs && theirs.length > ours.length);
        assert.deepEqual(theirs.subarray(0, ours.length), ours);
      },
    });
    const piped = await bootinfo(["--extract", "setup", kernel.path]);
    assert.deepEqual(piped.bytes, readImage(kernel).subarray(0, piped.bytes.length));
    assert.equal(piped.bytes.length, 40 * 512);
    const none = await bootinfo(["--extract", "initrd", kernel.path]);
    assert.deepEqual([none.code, none.out], [3, ""]);
  });
});

withImages("bootinfo --check tells by its exit code", [KERNEL, "ipxe-1.0"], async (images) => {
  const [kernel, ipxe] = images as [FetchedImage, FetchedImage];
  const good = await bootinfo(["--check", kernel.path]);
  assert.equal(good.code, 0);
  const odd = await bootinfo(["--check", ipxe.path]);
  assert.equal(odd.code, 1);
  assert.match(odd.out, /0x201/);
  const bytes = readImage(kernel);
  bytes[0x100000] = (bytes[0x100000] ?? 0) ^ 1;
  const changed = await bootinfo(["--check", "-"], bytes);
  assert.equal(changed.code, 1);
  assert.match(changed.out, /CRC-32 does not hold/);
  assert.match(changed.out, /signature/);
});

withImages("bootinfo --platform tells where a kernel starts, and why not", [
  KERNEL,
], async ([kernel]) => {
  assert.ok(kernel);
  const pc = await bootinfo(["--platform", "pc", kernel.path]);
  assert.equal(pc.code, 0);
  const lguest = await bootinfo(["--platform", "lguest", kernel.path]);
  assert.equal(lguest.code, 1);
  assert.match(lguest.out, /left the kernel in 4\.14/);
  const typo = await bootinfo(["--platform", "lguset", kernel.path]);
  assert.equal(typo.code, 2);
  assert.match(typo.err, /Did you mean "lguest"\?/);
});

withImages("bootinfo takes several images, and standard input", [
  KERNEL,
  "memdisk",
], async (images) => {
  const [kernel, memdisk] = images as [FetchedImage, FetchedImage];
  const several = await bootinfo([kernel.path, memdisk.path]);
  assert.equal(several.code, 0);
  assert.equal(several.out.trimEnd().split("\n").length, 3);
  const missing = await bootinfo([kernel.path, "/no/such/file", memdisk.path]);
  assert.equal(missing.code, 3);
  assert.equal(missing.out.trimEnd().split("\n").length, 3, "the others are shown");
  assert.match(missing.err, /\/no\/such\/file: no such file/);
  const piped = await bootinfo(["-"], readImage(memdisk));
  assert.equal(piped.code, 0);
  assert.match(piped.out, /MEMDISK/);
});

withImages("bootinfo shows what is left of an image that was cut short", [
  KERNEL,
], async ([kernel]) => {
  assert.ok(kernel);
  const bytes = readImage(kernel);
  for (const [size, code] of [[0x100, 0], [0x300, 0], [20_000, 0], [1 << 20, 0]] as const) {
    const cut = await bootinfo(["-"], bytes.subarray(0, size));
    assert.equal(cut.code, code, `${size}: ${cut.out}${cut.err}`);
    assert.doesNotMatch(cut.err, /\bat .*\.ts:\d/, "no stack trace");
    if (code === 0) assert.match(cut.out, /error/);
  }
});

Deno.test("bootinfo refuses what is no file with one line and exit code 3", async () => {
  for (
    const [path, why] of [
      ["/dev/null", /is a device|is empty/],
      [root, /is a directory/],
      ["/no/such/file", /no such file/],
    ] as const
  ) {
    const { code, out, err } = await bootinfo([path]);
    assert.deepEqual([code, out], [3, ""]);
    assert.match(err, why);
    assert.match(err, /^bootinfo: /);
  }
  const empty = await bootinfo(["-"], new Uint8Array());
  assert.equal(empty.code, 3);
  assert.equal((await bootinfo([])).code, 2);
  assert.equal((await bootinfo(["--nonsense", "x"])).code, 2);
});

withImages("bootinfo lists the head of an initramfs, and all of it when asked", [
  "installer-initrd",
], async ([initrd]) => {
  assert.ok(initrd);
  const first = await bootinfo([initrd.path]);
  assert.equal(first.code, 0);
  assert.ok(first.out.split("\n").length <= 24, first.out);
  assert.match(first.out, /and [\d,]+ more: --initramfs lists them/);
  const all = await bootinfo(["--initramfs", initrd.path]);
  assert.ok(all.out.split("\n").length > 1000);
});

/** What this machine's own kernel was handed over, where there is such a file. */
const page = ownZeroPage();
Deno.test({
  name: `the zero page of this machine's kernel decodes${page ? "" : noOwnPage}`,
  ignore: page === undefined,
  async fn() {
    assert.equal(page?.length, 4096);
    const { code, out, err } = await bootinfo(["--json", "-"], page);
    assert.deepEqual([code, err], [0, ""]);
    const document = JSON.parse(out);
    assert.equal(document.kind, "zero page");
    assert.ok(document.boot_params.e820_entries > 0);
  },
});
