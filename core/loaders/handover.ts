/**
 * A kernel, on its way from the loader's hands into its own: the steps that the
 * loaders' stories are told in.
 *
 * Each step puts something into memory or into the zero page, and checks what
 * the boot protocol asks of it. What a loader does wrong it may do here too.
 *
 * @module
 */

import {
  BOOT_PARAMS_SIZE,
  E820_MAX_ENTRIES_ZEROPAGE,
  type E820Entry,
  HEADER_LIMIT,
} from "../../formats/boot_params.ts";
import { hex } from "../../formats/errors.ts";
import { encodeE820, encodeSetupData, setupDataHeader } from "../../formats/setup_data.ts";
import {
  HDRS,
  LOADED_HIGH,
  type SetupHeader,
  showProtocol,
  XLF_KERNEL_64,
} from "../../formats/setup_header.ts";
import { BootError } from "../errors.ts";
import {
  type Cargo,
  CMDLINE_SIZE,
  HIGH_LOAD,
  INITRD_ADDR_MAX,
  type PlacedSetupData,
  states,
} from "./cargo.ts";
import { alignUp, MemoryPlan, type Wish } from "../memory_plan.ts";
import { isInProtocol, type Owner, PageWriter } from "../page_writer.ts";
import type { Entry } from "../platforms/platform.ts";
import { runAddress } from "../run_address.ts";

const XLF_ABOVE_4G = 2;
const GIB4 = 1n << 32n;
const PAGE = 0x1000n;

/** One boot being set up. */
export class Handover {
  /** What is handed over. */
  readonly cargo: Cargo;
  /** The zero page. */
  readonly page: PageWriter = new PageWriter();
  /** Memory. */
  readonly plan: MemoryPlan;
  /** What is worth saying about this boot, a sentence each. */
  readonly notes: string[] = [];
  /** Where the kernel is entered, the loader's own way first. */
  readonly entries: Entry[] = [];
  /** setup_data in the order of the list. */
  readonly setupData: PlacedSetupData[] = [];
  /** Physical address of the zero page. */
  pageAddress = 0n;
  /** Physical address of the command line. */
  commandLineAddress = 0n;
  /** Where the protected-mode code is loaded, and where the kernel then runs. */
  kernelAddress: { load: bigint; run: bigint } = { load: 0n, run: 0n };
  #e820: readonly E820Entry[] = [];

  /**
   * Starts with a page of zeroes and memory that holds nothing.
   *
   * @param cargo What to hand over.
   */
  constructor(cargo: Cargo) {
    this.cargo = cargo;
    this.plan = new MemoryPlan(cargo.map);
  }

  /** The image's header fields; none for an unpacked kernel. */
  get header(): Partial<SetupHeader> {
    const { kernel } = this.cargo;
    return kernel.kind === "image" ? kernel.header.fields : {};
  }

  /** Protocol version of the image, 0 without one. Bit 15 is taken off. */
  get version(): number {
    const { kernel } = this.cargo;
    return kernel.kind === "image" ? kernel.header.version & 0x7fff : 0;
  }

  /** Whether the kernel has the 64-bit entry at 0x200. */
  get has64(): boolean {
    return ((this.header.xloadflags ?? 0) & XLF_KERNEL_64) !== 0;
  }

  /** Whether the image is a bzImage; an unpacked kernel counts as one. */
  get isLoadedHigh(): boolean {
    return this.cargo.kernel.kind === "elf" || ((this.header.loadflags ?? 0) & LOADED_HIGH) !== 0;
  }

  /** Whether kernel, page, command line and initrd may lie above 4 GiB. */
  get mayBeAbove4G(): boolean {
    return ((this.header.xloadflags ?? 0) & XLF_ABOVE_4G) !== 0;
  }

  /** Length of boot sector and setup code. */
  get setupSize(): number {
    return ((this.header.setup_sects || 4) + 1) * 512;
  }

  /** Length of the protected-mode part, as the file has it. */
  get systemSize(): bigint {
    const { kernel } = this.cargo;
    if (kernel.kind !== "image") return 0n;
    return BigInt(Math.max(0, kernel.bytes.length - this.setupSize));
  }

  /** Length of the command line with its NUL. */
  get commandLineSize(): bigint {
    return BigInt(this.cargo.commandLine.length + 1);
  }

  /** Holds that the image's protocol is new enough for this loader. */
  needProtocol(least: number): void {
    if (this.cargo.kernel.kind === "image" && this.version < least) {
      const found = this.version < 0x200 ? "none" : showProtocol(this.version);
      throw new BootError("loader", `boot protocol ${showProtocol(least)} or newer`, found);
    }
  }

  /** Holds that the image is loaded high, a bzImage. */
  needBzImage(): void {
    if (!this.isLoadedHigh) {
      throw new BootError("loader", "a bzImage", "a zImage, loaded low");
    }
  }

  /** Finds a place for something. */
  place(wish: Wish): bigint {
    return this.plan.place(wish);
  }

  /** Puts the zero page somewhere, with what lies in one piece with it. */
  placePage(wish: Omit<Wish, "what" | "size"> & { readonly size?: bigint }): void {
    const { size = BigInt(BOOT_PARAMS_SIZE) } = wish;
    this.pageAddress = this.place({ ...wish, what: "zero page", size });
  }

  /** Copies the header out of the image, 0x1f1 to `end`. */
  copyHeader(end?: number): void {
    const { kernel } = this.cargo;
    if (kernel.kind !== "image") return;
    const last = end ?? Math.min(kernel.header.end, HEADER_LIMIT);
    this.page.copy(kernel.bytes, 0x1f1, last, "image");
  }

  /**
   * Sets a header field, if the image's protocol has it; one that the loader
   * fakes a header for has all of them.
   */
  set(field: string, value: bigint | number, who: Owner = "loader"): void {
    const faked = this.cargo.kernel.kind === "elf";
    if (!faked && !isInProtocol(field, this.version)) return;
    this.page.set(`setup_header.${field}`, value, who);
  }

  /** Sets a field outside the header. */
  setParam(path: string, value: bigint | number, who: Owner = "loader"): void {
    this.page.set(`boot_params.${path}`, value, who);
  }

  /** Sets bits in a header field. */
  setBits(field: string, bits: number): void {
    this.set(field, Number(this.page.get(`setup_header.${field}`)) | bits);
  }

  /** Fakes the least of a header for a kernel that has none. */
  fakeHeader(version: number): void {
    this.page.set("setup_header.boot_flag", 0xaa55, "loader");
    this.page.set("setup_header.header", HDRS, "loader");
    this.page.set("setup_header.version", version, "loader");
  }

  /** Sets the platform type, with what must go along with it. */
  setPlatform(): void {
    const { platform, kernel } = this.cargo;
    if (platform === 0) return;
    if (kernel.kind === "image" && this.version < 0x207) {
      throw new BootError(
        `platform type ${platform}`,
        "boot protocol 2.07, the first with hardware_subarch",
        this.version < 0x200 ? 'no "HdrS"' : showProtocol(this.version),
      );
    }
    this.set("hardware_subarch", platform);
    if (platform > 4) this.notes.push(`no kernel gives platform type ${platform} a meaning`);
    if (platform === 2) {
      this.notes.push("Xen's guests come in by ELF notes; the number alone makes no Xen guest");
    }
  }

  /** Puts the command line at a place of its own. */
  placeCommandLine(wish: Omit<Wish, "what" | "size"> & { readonly size?: bigint }): void {
    const { size = this.commandLineSize } = wish;
    this.commandLineAddress = this.place({ ...wish, what: "command line", size });
    this.checkCommandLine();
  }

  /** Holds that the kernel takes a command line of this length. */
  checkCommandLine(most = Infinity): void {
    const { commandLine, kernel } = this.cargo;
    const kernels = this.version >= 0x206
      ? this.header.cmdline_size ?? CMDLINE_SIZE
      : kernel.kind === "elf"
      ? 2047
      : CMDLINE_SIZE;
    const longest = Math.min(kernels, most);
    if (commandLine.length > longest) {
      throw new BootError(
        "command line",
        `${longest} bytes or less`,
        `${commandLine.length} bytes`,
      );
    }
    const nul = commandLine.indexOf(0);
    if (nul >= 0) throw new BootError("command line", "no NUL within", `one at ${nul}`);
  }

  /** Writes what of the command line lies within the page itself. */
  writeCommandLineIntoPage(): void {
    const at = Number(this.commandLineAddress - this.pageAddress);
    if (at >= 0 && at < BOOT_PARAMS_SIZE) this.page.write(at, this.cargo.commandLine, "loader");
  }

  /** Tells the kernel where its command line is, by the fields of 2.02. */
  pointToCommandLine(): void {
    this.set("cmd_line_ptr", this.commandLineAddress & (GIB4 - 1n));
    this.setHigh("ext_cmd_line_ptr", this.commandLineAddress);
  }

  /** Tells the kernel where its command line is, as before 2.02. */
  pointToOldCommandLine(offset: bigint): void {
    this.setParam("screen_info.cl_magic", 0xa33f);
    this.setParam("screen_info.cl_offset", offset & 0xffffn);
  }

  /** Writes an upper half, if there is one. */
  setHigh(field: string, value: bigint): void {
    if (value >> 32n === 0n) return;
    if (this.cargo.kernel.kind === "image" && this.version < 0x20c) {
      throw new BootError(field, "boot protocol 2.12", showProtocol(this.version));
    }
    this.setParam(field, value >> 32n);
  }

  /**
   * Loads the protected-mode code and keeps free what the kernel needs at its
   * run-time address.
   *
   * @param wish Where to load it; by default the address it prefers.
   */
  placeKernel(wish: Partial<Pick<Wish, "at" | "from" | "below" | "highest" | "why">> = {}): void {
    const { kernel } = this.cargo;
    if (kernel.kind === "elf") {
      const { start, end, entry, is64 } = kernel;
      const why = wish.why ?? "where its segments are linked to";
      this.place({ what: "kernel", at: start, size: end - start, why });
      this.kernelAddress = { load: start, run: start };
      this.entries.push({
        kind: "direct",
        address: entry,
        state: is64 ? states.long64 : states.flat32,
      });
      return;
    }
    if (!this.isLoadedHigh) return this.#placeLowKernel(wish);
    const load = this.#loadAddress(wish);
    const run = runAddress(kernel.header, load);
    const needed = this.#neededSize();
    this.kernelAddress = { load, run };
    if (load === run) {
      const why = wish.why ?? "the address it prefers, with init_size";
      this.place({ what: "kernel", at: run, size: needed, why });
    } else {
      const why = "the address it is linked to, with init_size";
      if (load + this.systemSize <= run || run + needed <= load) {
        this.place({
          what: "protected-mode code",
          at: load,
          size: this.systemSize,
          why: wish.why ?? "where a bzImage is loaded",
        });
        this.place({ what: "kernel", at: run, size: needed, why });
      } else {
        const from = load < run ? load : run;
        const ends = [load + this.systemSize, run + needed];
        const end = ends.reduce((a, b) => a > b ? a : b);
        this.place({
          what: "kernel",
          at: from,
          size: end - from,
          why: `loaded at ${hex(load)}, runs at ${hex(run)}`,
        });
      }
    }
  }

  /** The kernel enters at its protected-mode code, by 64 bits where it can. */
  enterProtected(options: { readonly only32?: boolean; readonly only64?: boolean } = {}): void {
    const { load } = this.kernelAddress;
    if (this.cargo.kernel.kind === "elf") return;
    if (this.has64 && !options.only32) {
      this.entries.push({ kind: "64-bit", address: load + 0x200n, state: states.long64 });
    }
    if (!options.only64 && load < GIB4) {
      this.entries.push({ kind: "32-bit", address: load, state: states.flat32 });
    }
  }

  /** A guest of lguest never sees what a PC's entries promise; others stay as they are. */
  enterAsGuest(): void {
    for (const [i, entry] of this.entries.entries()) {
      if (entry.state === states.flat32) this.entries[i] = { ...entry, state: states.guest32 };
    }
  }

  /** The kernel enters at its setup code in real mode. */
  enterReal(base: bigint): void {
    this.entries.push({ kind: "16-bit", address: base + 0x200n, state: states.real16 });
  }

  /** A zImage lies in low memory and unpacks itself to 1 MiB. */
  #placeLowKernel({ at, why }: Partial<Wish>): void {
    // Its setup code finds it at 0x10000 and moves it to 0x1000; without setup code
    // it must be there at once.
    const load = at ?? BigInt(this.header.code32_start || 0x1000);
    this.kernelAddress = { load, run: HIGH_LOAD };
    this.place({
      what: "protected-mode code",
      at: load,
      size: this.systemSize,
      why: why ?? "where a zImage is entered",
    });
    this.place({
      what: "kernel",
      at: HIGH_LOAD,
      size: this.#neededSize(),
      why: "1 MiB, where a zImage unpacks itself to",
    });
  }

  #loadAddress(wish: Partial<Wish>): bigint {
    if (wish.at !== undefined) return wish.at;
    if (!this.header.relocatable_kernel) return HIGH_LOAD;
    const align = BigInt(this.header.kernel_alignment || 1);
    const preferred = this.header.pref_address ?? HIGH_LOAD;
    const { from = preferred } = wish;
    // Asking the plan for the place without taking it: the kernel is placed after.
    const trial = new MemoryPlan(this.cargo.map);
    for (const { what, address, size, why } of this.plan.placements) {
      trial.place({ what, at: address, size, why });
    }
    return trial.place({
      what: "kernel",
      size: this.#neededSize(),
      align,
      why: "",
      from: from > preferred ? from : preferred,
      below: wish.below ?? (this.mayBeAbove4G ? trial.top : GIB4),
      highest: wish.highest ?? false,
    });
  }

  /** Bytes the kernel needs at its run-time address. */
  #neededSize(): bigint {
    const told = BigInt(this.header.init_size ?? 0);
    // Before 2.10 nothing tells; packed to a half, and unpacked beside itself.
    const guessed = this.version >= 0x20a && told > 0n ? told : this.systemSize * 3n;
    return guessed > this.systemSize ? guessed : this.systemSize;
  }

  /** Highest address past an initrd by the protocol. */
  get initrdLimit(): bigint {
    if (this.cargo.kernel.kind === "elf") return this.plan.top;
    if (this.mayBeAbove4G) return this.plan.top;
    const last = this.version >= 0x203
      ? BigInt(this.header.initrd_addr_max ?? INITRD_ADDR_MAX)
      : INITRD_ADDR_MAX;
    return last + 1n;
  }

  /**
   * Puts the initrd as high as it may go, or where the user wants it, and tells
   * the kernel.
   */
  placeInitrd(
    options: { readonly below?: bigint; readonly from?: bigint; readonly why?: string } = {},
  ): void {
    const { initrd, kernel } = this.cargo;
    if (initrd === undefined || initrd.size === 0n) return;
    if (kernel.kind === "image" && this.version < 0x200) {
      throw new BootError("initrd", "boot protocol 2.00 or newer", 'an image without "HdrS"');
    }
    const limit = this.initrdLimit;
    const wanted = options.below ?? limit;
    const below = wanted < limit ? wanted : limit;
    const { why = `as high as initrd_addr_max and memory allow` } = options;
    const { size, address: at } = initrd;
    if (at !== undefined && at + size > limit) {
      throw new BootError(
        "initrd",
        `its last byte at ${hex(limit - 1n)} or below`,
        `[${hex(at)}, ${hex(at + size)})`,
      );
    }
    const address = this.place({
      what: "initrd",
      size,
      align: at === undefined ? PAGE : 1n,
      ...(at === undefined
        ? {
          from: options.from ?? HIGH_LOAD,
          below: below < this.plan.top ? below : this.plan.top,
          highest: true,
          why,
        }
        : { at, why: "where the user wants it" }),
    });
    this.set("ramdisk_image", address & (GIB4 - 1n));
    this.set("ramdisk_size", size & (GIB4 - 1n));
    this.setHigh("ext_ramdisk_image", address);
    this.setHigh("ext_ramdisk_size", size);
  }

  /**
   * Writes the memory map into the page. What is beyond `most` entries goes into
   * a setup_data node, where the protocol has that.
   */
  writeE820(
    map: readonly E820Entry[] = this.cargo.map,
    most = E820_MAX_ENTRIES_ZEROPAGE,
    who: Owner = "loader",
  ): void {
    map.slice(0, most).forEach(({ addr, size, type }, i) => {
      this.setParam(`e820_table[${i}].addr`, addr, who);
      this.setParam(`e820_table[${i}].size`, size, who);
      this.setParam(`e820_table[${i}].type`, type, who);
    });
    this.setParam("e820_entries", Math.min(map.length, most), who);
    this.#e820 = map.slice(most);
    if (this.#e820.length > 0 && this.version < 0x209 && this.cargo.kernel.kind === "image") {
      throw new BootError("memory map", `${most} entries or less below 2.09`, `${map.length}`);
    }
  }

  /** Writes the sizes of memory that preceded e820, as int 15h tells them. */
  writeOldMemory(who: Owner = "loader"): void {
    const high = this.cargo.map.find(({ addr, size, type }) =>
      type === 1 && addr <= HIGH_LOAD && addr + size > HIGH_LOAD
    );
    const kib = high === undefined ? 0n : (high.addr + high.size - HIGH_LOAD) >> 10n;
    this.setParam("screen_info.ext_mem_k", kib > 0xfc00n ? 0xfc00n : kib, who);
    this.setParam("alt_mem_k", kib > 0xffffffffn ? 0xffffffffn : kib, who);
  }

  /** A screen of text as any PC has it. */
  writeTextScreen(who: Owner = "loader"): void {
    this.setParam("screen_info.orig_video_cols", 80, who);
    this.setParam("screen_info.orig_video_lines", 25, who);
    this.setParam("screen_info.orig_video_isVGA", 1, who);
    this.setParam("screen_info.orig_video_points", 16, who);
  }

  /** Puts the setup_data list into memory and its address into the header. */
  writeSetupData(wish: Omit<Wish, "what" | "size" | "at">): void {
    const nodes = [
      ...(this.#e820.length > 0 ? [{ type: 1, data: encodeE820(this.#e820) }] : []),
      ...this.cargo.setupData,
    ];
    if (nodes.length === 0) return;
    if (this.cargo.kernel.kind === "image" && this.version < 0x209) {
      throw new BootError("setup_data", "boot protocol 2.09", showProtocol(this.version));
    }
    const placed = nodes.map(({ type, data }, i) => {
      const size = BigInt(setupDataHeader.size + data.length);
      return {
        type,
        data,
        address: this.place({ ...wish, what: `setup_data ${i}`, size, align: 16n }),
      };
    });
    placed.forEach(({ type, data, address }, i) => {
      const next = placed[i + 1]?.address ?? 0n;
      this.setupData.push({ address, bytes: encodeSetupData({ type, data, next }) });
    });
    this.set("setup_data", placed[0]?.address ?? 0n);
  }

  /** Aligns an address to a page. */
  toPage(address: bigint): bigint {
    return alignUp(address, PAGE);
  }
}
