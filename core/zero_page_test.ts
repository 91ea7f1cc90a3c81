import assert from "node:assert/strict";
import { bzImage } from "../testdata/bzimage_builder.ts";
import { grubPage, grubPageAddress } from "../testdata/grub_zero_page.ts";
import { qemuImageHeader, qemuImageSize, qemuPage } from "../testdata/qemu_zero_page.ts";
import { decodeBootParams } from "../formats/boot_params.ts";
import { hex } from "../formats/errors.ts";
import { meaning } from "../formats/layout.ts";
import { readSetupDataList } from "../formats/setup_data.ts";
import { decodeSetupHeader } from "../formats/setup_header.ts";
import { sanitize } from "../formats/sanitizer.ts";
import { BootError } from "./errors.ts";
import { type LoaderName, loaderNames, loaders } from "./loaders/mod.ts";
import { runAddress } from "./run_address.ts";
import { buildZeroPage, type ZeroPage, type ZeroPageOptions } from "./zero_page.ts";
import { auditContextOf } from "./zero_page_audit.ts";

type Image = NonNullable<ZeroPageOptions["image"]>;
const imageOf = (bytes: Uint8Array): Image => ({ bytes, header: decodeSetupHeader(bytes) });
const modern = imageOf(bzImage({ protocol: 0x20f, payload: new Uint8Array(5000).fill(0x5a) }));
const MIB = 1n << 20n;
const memory = 512n * MIB;
const vmlinux = { entry: 0x100_0000n, start: 0x100_0000n, end: 0x280_0000n };

/** What a page says of itself, one line a field that somebody wrote. */
function story(zeroPage: ZeroPage): string {
  const { entries, placements, fields, notes } = zeroPage;
  return [
    ...entries.map(({ kind, address, state }) => `enter ${kind} at ${hex(address)}: ${state}`),
    ...placements.map(({ what, address, size, why }) =>
      `${hex(address)} + ${hex(size)} ${what}: ${why}`
    ),
    ...fields
      .filter(({ who, value }) =>
        who !== "nobody" && !(who === "image" && value instanceof Uint8Array)
      )
      .map(({ path, who, value, row }) => {
        const words = value instanceof Uint8Array ? undefined : meaning(row, value);
        const number = value instanceof Uint8Array
          ? [...value].map((byte) => byte.toString(16).padStart(2, "0")).join("")
          : hex(value as number);
        return `${who} ${path} ${number}${words === undefined ? "" : ` (${words})`}`;
      }),
    ...notes,
  ].join("\n");
}

const built = (loader: LoaderName, options: Partial<ZeroPageOptions> = {}): ZeroPage =>
  buildZeroPage({
    image: modern,
    memory,
    commandLine: "console=ttyS0",
    initrd: { size: 100_000 },
    loader,
    ...options,
  });
const valueOf = ({ fields }: ZeroPage, path: string): unknown =>
  (fields.find((field) => field.path === path) ?? assert.fail(path)).value;
const whoOf = ({ fields }: ZeroPage, path: string): string =>
  (fields.find((field) => field.path === path) ?? assert.fail(path)).who;

for (const loader of loaderNames) {
  Deno.test(`${loader} hands a kernel over in its own way`, async (t) => {
    await t.assertSnapshot(story(built(loader)));
  });

  Deno.test(`${loader}: each byte that is not zero has an author`, () => {
    const { page, fields } = built(loader);
    const covered = new Set<number>();
    for (const { at, size, who, path } of fields) {
      for (let i = at; i < at + size; i++) {
        assert.ok(!covered.has(i), path);
        covered.add(i);
        if (page[i] !== 0) assert.notEqual(who, "nobody", path);
      }
    }
    assert.equal(covered.size, 4096);
    // What is the image's is as the image has it.
    for (const { at, size, who, path } of fields) {
      if (who !== "image") continue;
      assert.deepEqual(page.slice(at, at + size), modern.bytes.slice(at, at + size), path);
    }
  });

  Deno.test(`${loader}: what it lays out lies in RAM, apart, and where the page says`, () => {
    const { page, placements, commandLine, memoryMap } = built(loader);
    const { ramdisk, commandLine: told, e820, versionBasis } = decodeBootParams(page);
    assert.equal(versionBasis, "HdrS");
    const initrd = placements.find(({ what }) => what === "initrd") ?? assert.fail("no initrd");
    assert.deepEqual(ramdisk, { address: initrd.address, size: 100_000n });
    if (told !== 0n) assert.equal(told, commandLine.address);
    assert.equal(new TextDecoder().decode(commandLine.bytes), "console=ttyS0\0");
    assert.deepEqual(e820, memoryMap);
    placements.forEach(({ address, size, what }, i) => {
      const ram = memoryMap.find(({ addr, size, type }) =>
        type === 1 && addr <= address && address < addr + size
      );
      assert.ok(ram && address + size <= ram.addr + ram.size, what);
      const next = placements[i + 1];
      assert.ok(next === undefined || address + size <= next.address, what);
    });
  });

  Deno.test(`${loader}: any platform number of 32 bits is legal`, () => {
    for (const platform of [0, "lguest", "xen", "intel-mid", 4, 7, 0xffff_ffff] as const) {
      const number = typeof platform === "number"
        ? platform
        : { lguest: 1, xen: 2, "intel-mid": 3 }[
          platform
        ];
      const zeroPage = built(loader, { platform });
      const expected = loader === "lguest" && number === 0 ? 1 : number;
      assert.equal(valueOf(zeroPage, "setup_header.hardware_subarch"), expected);
    }
    assert.throws(() => built(loader, { platform: 2 ** 32 }), BootError);
    assert.throws(() => built(loader, { platform: -1 }), BootError);
  });

  Deno.test(`${loader}: a vmlinux is loaded or refused with a reason`, () => {
    const { image: _, ...options } = {
      image: modern,
      memory,
      commandLine: "quiet",
      loader,
      vmlinux,
    };
    if (loaders[loader].loadsElf) {
      const zeroPage = buildZeroPage(options);
      assert.equal(zeroPage.entries[0]?.kind, "direct");
      assert.equal(zeroPage.entries[0]?.address, vmlinux.entry);
      assert.equal(decodeBootParams(zeroPage.page).commandLine, zeroPage.commandLine.address);
      for (const { who, path } of zeroPage.fields) assert.notEqual(who, "image", path);
    } else {
      assert.throws(
        () => buildZeroPage(options),
        (error) =>
          error instanceof BootError &&
          error.message ===
            `loader: needs an image with a boot header, found a vmlinux for ${loader}`,
      );
    }
  });
}

const unhex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], (two) => parseInt(two, 16));

/** The image both dumps are of, as far as a loader reads it. */
function dumpedImage(): Image {
  const bytes = new Uint8Array(qemuImageSize);
  bytes.set(unhex(qemuImageHeader), 0x1f1);
  bytes.fill(0xff, 0x1ec, 0x1f1);
  return imageOf(bytes);
}

function pageOfRuns(runs: typeof qemuPage): Uint8Array {
  const page = new Uint8Array(4096);
  for (const [at, text] of runs) page.set(unhex(text), at);
  return page;
}

/** Paths of the fields in which a built page is not the dumped one. */
const differing = ({ page, fields }: ZeroPage, real: Uint8Array): string[] =>
  fields
    .filter(({ at, size }) => page.subarray(at, at + size).some((byte, i) => byte !== real[at + i]))
    .map(({ path }) => path);

Deno.test("the page QEMU's guest got is the page we build for QEMU, less the BIOS's answers", () => {
  const zeroPage = buildZeroPage({
    image: dumpedImage(),
    memory,
    commandLine: "console=ttyS0 zeropage",
    initrd: { size: 100_000 },
    loader: "qemu",
  });
  assert.deepEqual(differing(zeroPage, pageOfRuns(qemuPage)), [
    "boot_params.screen_info.orig_y", // where SeaBIOS's own lines left the cursor
    "boot_params.ist_info.signature", // what int 15h AX=e980h left: no such call
    "boot_params.ist_info.perf_level",
    "boot_params.edid_info.dummy", // QEMU's monitor
    "boot_params.e820_entries", // one more: AMD's reserved range below 1 TiB
    "boot_params.e820_table[6].addr",
    "boot_params.e820_table[6].size",
    "boot_params.e820_table[6].type",
  ]);
  const initrd = zeroPage.placements.find(({ what }) => what === "initrd");
  assert.equal(initrd?.address, 0x1ffc_7000n);
});

Deno.test("the page GRUB made is the page we build for GRUB, on its firmware's map", () => {
  const real = pageOfRuns(grubPage);
  const { e820, ramdisk } = decodeBootParams(real);
  const zeroPage = buildZeroPage({
    image: dumpedImage(),
    memory,
    memoryMap: e820,
    commandLine: "BOOT_IMAGE=/boot/vmlinuz console=ttyS0 zeropage",
    initrd: ramdisk, // its place depends on what GRUB has in memory itself
    loader: "grub",
  });
  assert.equal(zeroPage.address, BigInt(grubPageAddress));
  assert.equal(zeroPage.entries[0]?.address, 0x100_0000n);
  // Only the cursor is elsewhere.
  assert.deepEqual(differing(zeroPage, real), ["boot_params.screen_info.orig_y"]);
});

Deno.test("Firecracker's map is the one its guest shows", () => {
  // First entries of /sys/kernel/boot_params/data in a guest of 24 GiB.
  assert.deepEqual(loaders.firecracker.map?.(24n << 30n), [
    { addr: 0n, size: 0x9fc00n, type: 1 },
    { addr: 0x9fc00n, size: 0x40400n, type: 2 },
    { addr: 0xeec00000n, size: 0x10000000n, type: 2 },
    { addr: 0x100000n, size: 0xbff00000n, type: 1 },
    { addr: 0x100000000n, size: 0x540000000n, type: 1 },
  ]);
});

Deno.test("a page made to the letter needs no sanitizing, one that holds setup code would", () => {
  assert.deepEqual(sanitize(built("zeropage").page).cleared, []);
  const { page } = built("elilo", {
    image: imageOf(bzImage({ edit: (image) => image.fill(0x90, 0x290, 0x9ff) })),
  });
  const { leftovers } = decodeBootParams(page);
  assert.ok(leftovers.some(({ path }) => path.startsWith("e820_table[")));
});

Deno.test("the user's fields are set last, by number, name, flag names or digits", () => {
  const zeroPage = built("zeropage", {
    set: {
      "setup_header.vid_mode": "0x317",
      "setup_header.hardware_subarch": "lguest",
      "setup_header.loadflags": "LOADED_HIGH|QUIET_FLAG",
      "boot_params.screen_info.orig_x": 7,
      "boot_params.acpi_rsdp_addr": 0xe0000n,
      "boot_params.e820_table[0].type": "RESERVED",
      "boot_params.hd0_info": "01 02 ff",
      "boot_params.hdr.root_dev": "2049",
    },
  });
  assert.equal(valueOf(zeroPage, "setup_header.vid_mode"), 0x317);
  assert.equal(whoOf(zeroPage, "setup_header.vid_mode"), "user");
  assert.equal(valueOf(zeroPage, "setup_header.hardware_subarch"), 1);
  assert.equal(valueOf(zeroPage, "setup_header.loadflags"), 0x21);
  assert.equal(valueOf(zeroPage, "boot_params.screen_info.orig_x"), 7);
  assert.equal(valueOf(zeroPage, "boot_params.acpi_rsdp_addr"), 0xe0000n);
  assert.equal(valueOf(zeroPage, "boot_params.e820_table[0].type"), 2);
  assert.equal(valueOf(zeroPage, "setup_header.root_dev"), 0x801);
  assert.deepEqual([...zeroPage.page.subarray(0x80, 0x84)], [1, 2, 0xff, 0]);
  const wrong: readonly [string, string | number | bigint, string][] = [
    [
      "setup_header.vidmode",
      1,
      'field: needs the name of a field in boot_params, found "setup_header.vidmode"',
    ],
    [
      "setup_header.vid_mode",
      0x10000,
      "setup_header.vid_mode: needs a value of 2 bytes, found 65536",
    ],
    ["setup_header.vid_mode", -1, "setup_header.vid_mode: needs a value of 2 bytes, found -1"],
    ["setup_header.vid_mode", 1.5, "setup_header.vid_mode: needs a value of 2 bytes, found 1.5"],
    [
      "setup_header.vid_mode",
      "ask",
      'setup_header.vid_mode: needs a value of 2 bytes, found "ask"',
    ],
    [
      "setup_header.loadflags",
      "HIGH",
      'setup_header.loadflags: needs a value of 1 byte, found "HIGH"',
    ],
    [
      "boot_params.hd0_info",
      "0".repeat(34),
      `boot_params.hd0_info: needs a value of 16 bytes, found "${"0".repeat(34)}"`,
    ],
    ["__proto__.x", 1, 'field: needs the name of a field in boot_params, found "__proto__.x"'],
  ];
  for (const [path, value, message] of wrong) {
    assert.throws(
      () => built("zeropage", { set: { [path]: value } }),
      (error) => error instanceof BootError && error.message === message,
      path,
    );
  }
});

Deno.test("the initrd goes as high as it may, and is refused where it may not be", () => {
  const at = (options: Partial<ZeroPageOptions>): bigint =>
    decodeBootParams(built("zeropage", options).page).ramdisk.address;
  assert.equal(at({}), (memory - 100_000n) & ~0xfffn);
  // xloadflags bit 1: above 4 GiB.
  const above = 6n << 30n;
  assert.equal(at({ memory: above }), (0x1_0000_0000n + above - 0xc000_0000n - 100_000n) & ~0xfffn);
  // Without it: below initrd_addr_max, and 0x37ffffff where the header has none.
  const i386 = imageOf(bzImage({ protocol: 0x20a }));
  assert.equal(at({ image: i386, memory: above }), (0x8000_0000n - 100_000n) & ~0xfffn);
  const old = imageOf(bzImage({ protocol: 0x202 }));
  assert.equal(at({ image: old, memory: above }), (0x3800_0000n - 100_000n) & ~0xfffn);
  assert.equal(at({ initrd: { size: 4096, address: 0x300_0000n } }), 0x300_0000n);

  const refused = (options: Partial<ZeroPageOptions>): string => {
    try {
      built("zeropage", options);
    } catch (error) {
      if (error instanceof BootError) return error.message;
      throw error;
    }
    return assert.fail("it was taken");
  };
  assert.equal(
    refused({ image: i386, memory: above, initrd: { size: 4096, address: 0x8000_0000n } }),
    "initrd: needs its last byte at 0x7fffffff or below, found [0x80000000, 0x80001000)",
  );
  assert.equal(
    refused({ initrd: { size: 4096, address: 0x1ff_f000n } }),
    "initrd: needs [0x1fff000, 0x2000000) free, found kernel at [0x1000000, 0x2000000)",
  );
  assert.match(
    refused({ initrd: { size: memory } }),
    /^initrd: needs 536870912 bytes aligned to 0x1000 in .*, found \d+ bytes free in one piece$/,
  );
  assert.equal(
    refused({ image: imageOf(bzImage({ protocol: 0 })) }),
    'initrd: needs boot protocol 2.00 or newer, found an image without "HdrS"',
  );
  assert.match(refused({ memory: 16n * MIB }), /^kernel: needs 16777216 bytes aligned to 0x200000/);
});

Deno.test("a command line may be as long as the kernel takes it, and no longer", () => {
  assert.doesNotThrow(() => built("zeropage", { commandLine: "x".repeat(2047) }));
  const long = (protocol: number, length: number) => () =>
    built("zeropage", {
      image: imageOf(bzImage({ protocol })),
      commandLine: "x".repeat(length),
    });
  assert.throws(
    long(0x20f, 2048),
    /^BootError: command line: needs 2047 bytes or less, found 2048/,
  );
  assert.doesNotThrow(long(0x205, 255));
  assert.throws(long(0x205, 256), /needs 255 bytes or less, found 256 bytes/);
  assert.throws(
    () => built("gujin", { commandLine: "x".repeat(1024) }),
    /needs 1023 bytes or less/,
  );
  assert.throws(
    () => built("zeropage", { commandLine: "a\0b" }),
    /needs no NUL within, found one at 1/,
  );
});

Deno.test("each protocol from none to 2.15 gets just the fields it knows", () => {
  for (
    const protocol of [
      0,
      0x200,
      0x201,
      0x202,
      0x203,
      0x204,
      0x205,
      0x206,
      0x207,
      0x208,
      0x209,
      0x20a,
      0x20b,
      0x20c,
      0x20d,
      0x20f,
    ]
  ) {
    const image = imageOf(bzImage({ protocol }));
    const { page, fields, address } = buildZeroPage({ image, memory, commandLine: "ro" });
    for (const { path, row, who, at, size } of fields) {
      const since = "since" in row ? row.since ?? 0 : 0;
      if (!path.startsWith("setup_header.") || since <= protocol) continue;
      assert.notEqual(who, "loader", `${path} of ${protocol.toString(16)}`);
      assert.ok(page.subarray(at, at + size).every((byte) => byte === 0), path);
    }
    const { fields: { screen_info, hdr } } = decodeBootParams(page);
    if (protocol < 0x202) {
      assert.equal(address, 0x90000n);
      assert.deepEqual([screen_info.cl_magic, screen_info.cl_offset], [0xa33f, 0x9800]);
    } else assert.equal(hdr.cmd_line_ptr, 0x20000);
  }
});

Deno.test("a guest of lguest enters with paging on at privilege level 1, whoever loads it", () => {
  for (const loader of ["lguest", "zeropage"] as const) {
    const state = built(loader, { platform: "lguest" }).entries.find(({ kind }) =>
      kind === "32-bit"
    )
      ?.state;
    assert.match(state ?? "", /^paging on .*privilege level 1/, loader);
  }
  const { entries } = built("zeropage");
  assert.ok(entries.every(({ state }) => !state.includes("privilege level 1")));
});

Deno.test("a platform type needs a protocol that has one", () => {
  const image = imageOf(bzImage({ protocol: 0x206 }));
  assert.throws(
    () => buildZeroPage({ image, memory, platform: "xen" }),
    /^BootError: platform type 2: needs boot protocol 2\.07, the first with hardware_subarch, found 2\.06$/,
  );
  const { page } = buildZeroPage({ image: modern, memory, platform: "lguest" });
  const { hdr } = decodeBootParams(page).fields;
  assert.deepEqual([hdr.hardware_subarch, hdr.loadflags], [1, 0x41]);
  assert.deepEqual(buildZeroPage({ image: modern, memory, platform: 7 }).notes, [
    "no kernel gives platform type 7 a meaning",
  ]);
});

Deno.test("a zImage stays in low memory and unpacks itself to 1 MiB", () => {
  const image = imageOf(bzImage({ protocol: 0x204, high: false }));
  const { kernel, entries, address } = buildZeroPage({ image, memory });
  assert.deepEqual(kernel, { load: 0x1000n, run: 0x100000n });
  assert.deepEqual(entries.map(({ kind, address }) => [kind, address]), [["32-bit", 0x1000n]]);
  assert.equal(address, 0x90000n);
  assert.throws(
    () => buildZeroPage({ image, memory, loader: "grub" }),
    /needs a bzImage, found a zImage/,
  );
  const real = buildZeroPage({ image, memory, loader: "qemu" });
  assert.deepEqual([real.kernel.load, real.entries[0]?.address], [0x10000n, 0x90200n]);
});

Deno.test("everything above 4 GiB is told in both halves", () => {
  const zeroPage = built("kexec", { memory: 8n << 30n });
  const { fields, ramdisk, commandLine } = decodeBootParams(zeroPage.page);
  assert.ok(zeroPage.address >> 32n > 0n && zeroPage.kernel.load >> 32n > 0n);
  assert.equal(commandLine, zeroPage.commandLine.address);
  assert.ok(ramdisk.address >> 32n > 0n);
  assert.equal(fields.ext_cmd_line_ptr, Number(commandLine >> 32n));
  assert.deepEqual(zeroPage.entries.map(({ kind }) => kind), ["64-bit"]);
});

Deno.test("kexec-tools reads the header's length as a signed byte and copies 0x7f at most", () => {
  const lengthOf = (jump: number): number => {
    const bytes = bzImage({ protocol: 0x20f, edit: (image) => image.fill(0xee, 0x26c, 0x290) });
    bytes[0x201] = jump;
    const zeroPage = buildZeroPage({ image: imageOf(bytes), memory, loader: "kexec" });
    assert.equal(whoOf(zeroPage, "boot_params.sentinel"), "nobody");
    return zeroPage.page.subarray(0x26c, 0x290).filter((byte) => byte === 0xee).length;
  };
  assert.equal(lengthOf(0x6a), 0);
  assert.equal(lengthOf(0x6c), 2);
  assert.equal(lengthOf(0x7f), 4); // 0x1f1 + 0x7f is 0x270
  assert.equal(lengthOf(0xee), 4); // -18 + 0x11 is negative, and a large number unsigned
  assert.equal(lengthOf(0xf0), 0); // -16 + 0x11 is one byte
});

Deno.test("setup_data lies in memory, linked, and more than 128 ranges go there too", () => {
  const seed = { type: 9, data: new Uint8Array(32).fill(0xa5) };
  const memoryMap = Array.from({ length: 130 }, (_, i) => ({
    addr: BigInt(i) << 28n,
    size: 1n << 28n,
    type: i < 2 ? 1 : 2,
  }));
  const zeroPage = built("zeropage", { memoryMap, setupData: [seed] });
  const { fields, e820 } = decodeBootParams(zeroPage.page);
  assert.equal(e820.length, 128);
  const { read } = auditContextOf(zeroPage);
  const list = readSetupDataList(fields.hdr.setup_data ?? 0n, read ?? assert.fail("no memory"));
  assert.deepEqual(list.complaints, []);
  assert.deepEqual(list.nodes.map(({ typeName }) => typeName), [
    "SETUP_E820_EXT",
    "SETUP_RNG_SEED",
  ]);
  assert.deepEqual(list.nodes[0]?.contents.e820, memoryMap.slice(128));
  assert.throws(
    () => built("zeropage", { image: imageOf(bzImage({ protocol: 0x208 })), setupData: [seed] }),
    /setup_data: needs boot protocol 2\.09, found 2\.08/,
  );
});

Deno.test("a kernel runs where it is loaded, prefers to be, or was linked to", () => {
  const at = (header: Parameters<typeof bzImage>[0], load: bigint): bigint =>
    runAddress(decodeSetupHeader(bzImage(header)), load);
  assert.equal(at({ protocol: 0x20f }, 0x100000n), 0x1000000n);
  assert.equal(at({ protocol: 0x20f }, 0x1000001n), 0x1200000n);
  assert.equal(at({ protocol: 0x20f }, 0x4000000n), 0x4000000n);
  assert.equal(at({ protocol: 0x20f, header: { relocatable_kernel: 0 } }, 0x4000000n), 0x1000000n);
  assert.equal(at({ protocol: 0x205 }, 0x100000n), 0x1000000n);
  assert.equal(at({ protocol: 0x204 }, 0x100000n), 0x100000n);
});

Deno.test("what cannot be a boot at all is refused in one sentence", () => {
  assert.throws(() => buildZeroPage({ memory }), /needs an image or a vmlinux, found neither/);
  assert.throws(
    () => buildZeroPage({ image: modern, memory: 1.5 }),
    /memory: needs a whole number/,
  );
  assert.throws(() => buildZeroPage({ image: modern, memory: 0 }), /memory: needs 2 MiB at least/);
  assert.throws(
    () => buildZeroPage({ image: modern, memory, loader: "lilo" as LoaderName }),
    /loader: needs one of zeropage, kexec, .*, found "lilo"/,
  );
  assert.throws(
    () => buildZeroPage({ image: imageOf(bzImage({ protocol: 0x202 })), memory, loader: "grub" }),
    /loader: needs boot protocol 2\.03 or newer, found 2\.02/,
  );
  assert.throws(
    () => buildZeroPage({ vmlinux: { entry: 0n, start: 5n, end: 5n }, memory }),
    /needs an end behind its start/,
  );
});
