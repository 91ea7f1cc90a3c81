/**
 * The built-in init: the smallest program that proves a kernel booted.
 *
 * A static ELF executable of one page, i386 or x86-64, that says who it is and
 * what it runs on, and switches the machine off. It needs nothing but itself: no
 * library, no file system, no other program; a console only to be heard.
 *
 * It is written once for both word sizes: where the two differ, in registers of
 * a system call, its number and the layout of a structure, a table says how.
 *
 * Source: the kernel's arch/x86/entry/syscalls/*.tbl; uapi headers utsname.h,
 * sysinfo.h, reboot.h; "System V Application Binary Interface" for the ELF file.
 *
 * @module
 */

import { Assembler, at, between, mem } from "../../emu/cpu/assemble.ts";

/** How a program of a word size speaks to the kernel. */
interface Abi {
  /** Word size in bits. */
  readonly bits: 32 | 64;
  /** The letter before the name of a register of this size. */
  readonly letter: "e" | "r";
  /** Registers of a system call's arguments. */
  readonly args: readonly string[];
  /** System calls by number. */
  readonly calls: Readonly<Record<SystemCall, number>>;
  /** Where struct sysinfo has total and free memory, and the unit they are in. */
  readonly sysinfo: {
    readonly totalram: number;
    readonly freeram: number;
    readonly mem_unit: number;
  };
  /** Where the program is loaded. */
  readonly base: number;
  /** ELF machine number. */
  readonly machine: number;
}

type SystemCall =
  | "write"
  | "open"
  | "getpid"
  | "pause"
  | "sync"
  | "fcntl"
  | "reboot"
  | "sysinfo"
  | "uname";

const abis: Readonly<Record<32 | 64, Abi>> = {
  32: {
    bits: 32,
    letter: "e",
    args: ["ebx", "ecx", "edx", "esi"],
    calls: {
      ...{ write: 4, open: 5, getpid: 20, pause: 29, sync: 36, fcntl: 55, reboot: 88 },
      ...{ sysinfo: 116, uname: 122 },
    },
    sysinfo: { totalram: 16, freeram: 20, mem_unit: 52 },
    base: 0x08048000,
    machine: 3,
  },
  64: {
    bits: 64,
    letter: "r",
    args: ["rdi", "rsi", "rdx", "r10"],
    calls: {
      ...{ write: 1, open: 2, pause: 34, getpid: 39, uname: 63, fcntl: 72, sysinfo: 99 },
      ...{ sync: 162, reboot: 169 },
    },
    sysinfo: { totalram: 32, freeram: 40, mem_unit: 104 },
    base: 0x400000,
    machine: 62,
  },
};

const F_GETFD = 1;
const O_RDWR = 2;
const LINUX_REBOOT_MAGIC1 = 0xfee1dead;
const LINUX_REBOOT_MAGIC2 = 672274793;
const LINUX_REBOOT_CMD_POWER_OFF = 0x4321fedc;
const LINUX_REBOOT_CMD_RESTART = 0x01234567;

/** Each of the six texts of struct new_utsname, with the zero that ends it. */
const utsField = 65;
const utsname = { sysname: 0, release: 2 * utsField, version: 3 * utsField, machine: 4 * utsField };

/** The frame on the stack: either structure, a number in digits before its zero, the console. */
const frame = { structure: 0, digitsEnd: 0x1ef, console: 0x1f0, size: 0x200 } as const;

/**
 * The program, as the bytes of an ELF executable.
 *
 * What it prints, each line after "zeropage: ":
 *
 * ```text
 * userspace reached, this is process 1
 * Linux 6.1.0-50-686, i686
 * #1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)
 * 502732 KiB of memory, 490816 KiB free
 * all is well, powering off
 * ```
 *
 * Then it syncs and asks the kernel to power off; where that returns, to
 * restart; where that returns too, it waits for ever.
 *
 * @param bits The kernel's word size.
 */
export function initProgram(bits: 32 | 64): Uint8Array<ArrayBuffer> {
  const abi = abis[bits];
  const a = new Assembler({ mode: bits, origin: abi.base });
  const word = (name: string) => abi.letter + name;
  const local = (offset: number) => mem({ base: word("bp"), disp: offset });
  const texts: string[] = [];
  /** A system call; its result is in eax or rax. */
  const call = (name: SystemCall, ...args: readonly (() => void)[]) => {
    for (const arg of args) arg();
    a.emit("mov", "eax", abi.calls[name]);
    if (bits === 32) a.emit("int", 0x80);
    else a.emit("syscall");
  };
  const arg = (n: number) => abi.args[n] ?? "";
  const arg32 = (n: number) => bits === 32 ? arg(n) : arg(n).replace(/^r(.)(.)$/, "e$1$2");
  const set = (n: number, value: number) => () => a.emit("mov", arg32(n), value);
  const point = (n: number, offset: number) => () => a.emit("lea", arg(n), local(offset));
  const print = (text: string) => {
    a.emit("mov", "esi", at(`text${texts.push(text) - 1}`)).emit("call", at("print"));
  };
  const printLocal = (offset: number) => {
    a.emit("lea", word("si"), local(offset)).emit("call", at("print"));
  };
  const printKiB = (offset: number) => {
    a.emit("mov", word("ax"), local(offset));
    a.emit("mov", "ecx", local(abi.sysinfo.mem_unit));
    a.emit("mul", word("cx"));
    a.emit("shrd", word("ax"), word("dx"), 10);
    a.emit("call", at("number"));
  };
  const shutDown = (command: number) =>
    call("reboot", set(0, LINUX_REBOOT_MAGIC1), set(1, LINUX_REBOOT_MAGIC2), set(2, command));

  headers(a, abi);
  a.label("start");
  a.emit("sub", word("sp"), frame.size);
  a.emit("mov", word("bp"), word("sp"));
  // The kernel gives its first process the console as files 0 to 2, if it could open it.
  a.emit("mov", mem({ base: word("bp"), disp: frame.console, size: 32 }), 1);
  call("fcntl", set(0, 1), set(1, F_GETFD));
  a.emit("test", "eax", "eax").emit("jns", at("heard"));
  call("open", () => a.emit("mov", arg32(0), at("console")), set(1, O_RDWR));
  a.emit("mov", local(frame.console), "eax");
  a.label("heard");

  print("zeropage: userspace reached, this is process ");
  call("getpid");
  a.emit("call", at("number"));
  print("\nzeropage: ");
  call("uname", point(0, frame.structure));
  printLocal(utsname.sysname);
  print(" ");
  printLocal(utsname.release);
  print(", ");
  printLocal(utsname.machine);
  print("\nzeropage: ");
  printLocal(utsname.version);
  print("\nzeropage: ");
  call("sysinfo", point(0, frame.structure));
  printKiB(abi.sysinfo.totalram);
  print(" KiB of memory, ");
  printKiB(abi.sysinfo.freeram);
  print(" KiB free\nzeropage: all is well, powering off\n");
  call("sync");
  shutDown(LINUX_REBOOT_CMD_POWER_OFF);
  shutDown(LINUX_REBOOT_CMD_RESTART);
  a.label("for ever");
  call("pause");
  a.emit("jmp", at("for ever"));

  number(a, word, local);
  // Prints the text at rSI, up to its zero.
  a.label("print").emit("mov", word("dx"), word("si"));
  a.label("count").emit("cmp", mem({ base: word("dx"), size: 8 }), 0);
  a.emit("je", at("counted")).emit("inc", word("dx")).emit("jmp", at("count"));
  a.label("counted").emit("sub", word("dx"), word("si"));
  if (bits === 32) a.emit("mov", "ecx", "esi");
  a.emit("mov", arg32(0), local(frame.console));
  call("write");
  a.emit("ret");

  a.label("console").text("/dev/console\0");
  for (const [n, text] of texts.entries()) a.label(`text${n}`).text(`${text}\0`);
  a.label("end");
  return a.finish();
}

/** Prints rAX in decimal: digits from the last to the first, then as a text. */
function number(
  a: Assembler,
  word: (name: string) => string,
  local: (offset: number) => ReturnType<typeof mem>,
): void {
  const digit = mem({ base: word("di"), size: 8 });
  a.label("number").emit("lea", word("di"), local(frame.digitsEnd));
  a.emit("mov", digit, 0).emit("mov", "ecx", 10);
  a.label("next").emit("xor", "edx", "edx").emit("div", word("cx"));
  a.emit("add", "dl", 0x30).emit("dec", word("di")).emit("mov", digit, "dl");
  a.emit("test", word("ax"), word("ax")).emit("jnz", at("next"));
  a.emit("mov", word("si"), word("di")).emit("jmp", at("print"));
}

/**
 * The ELF header and two program headers: the file itself, readable and
 * executable, and a stack that is not executable, of which newer kernels would
 * complain on the console otherwise.
 */
function headers(a: Assembler, { bits, base, machine }: Abi): void {
  const is64 = bits === 64;
  const [ehsize, phentsize] = is64 ? [64, 56] : [52, 32];
  const address = (value: number | ReturnType<typeof at>) => is64 ? a.u64(value) : a.u32(value);
  a.label("file").bytes(0x7f).text("ELF").bytes(is64 ? 2 : 1, 1, 1, 0).u64(0);
  a.u16(2, machine).u32(1);
  address(at("start"));
  address(ehsize);
  address(0);
  a.u32(0).u16(ehsize, phentsize, 2, 0, 0, 0);

  const PT_LOAD = 1;
  const PT_GNU_STACK = 0x6474e551;
  const segment = (type: number, flags: number, loaded: boolean, align: number) => {
    a.u32(type);
    if (is64) a.u32(flags);
    address(0);
    address(loaded ? base : 0);
    address(loaded ? base : 0);
    address(loaded ? between("file", "end") : 0);
    address(loaded ? between("file", "end") : 0);
    if (!is64) a.u32(flags);
    address(align);
  };
  segment(PT_LOAD, 5, true, 0x1000);
  segment(PT_GNU_STACK, 6, false, 0x10);
}
