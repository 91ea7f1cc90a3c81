import assert from "node:assert/strict";
import { Assembler, at, mem } from "./cpu/assemble.ts";
import { cr0Bits, cr4Bits, eflag, type EventKind, type Host } from "./cpu/processor.ts";
import { hotFrom } from "./cpu/engine/interpreter.ts";
import { RAM } from "./cpu/layout.ts";
import { Machine, type Stop } from "./machine.ts";

const start = 0x10_0000;

/** A machine in flat code at a privilege level with nothing but a host: no IDT, no GDT. */
function hosted(
  host: Host,
  write: (a: Assembler) => void,
  { level = 0 }: { level?: number } = {},
) {
  const machine = new Machine({ memory: 0x80_0000, cpu: "x86-64-v2,+rdtscp" });
  const { cpu } = machine;
  const a = new Assembler({ mode: 32, origin: start });
  write(a);
  a.label("end").emit("vmcall");
  machine.memory.write(start, a.finish());
  cpu.cr0 = 0x11;
  cpu.idtr.limit = 0;
  cpu.gdtr.limit = 0;
  for (const [n, segment] of cpu.segments.slice(0, 6).entries()) {
    Object.assign(segment, {
      ...{ selector: n === 1 ? 8 | level : 16 | level, base: 0, limit: 0xffff_ffff },
      attributes: (n === 1 ? 0xc09b : 0xc093) | level << 5,
    });
  }
  // No port is anybody's.
  cpu.segments[7].limit = 0x60;
  cpu.cpl = level;
  cpu.refresh();
  cpu.rip = start;
  cpu.setAddress(4, 0x20_0000, 32);
  cpu.host = {
    call: () => {
      machine.stop();
      cpu.rip = cpu.nextRip;
      return true;
    },
    ...host,
  };
  const view = new DataView(cpu.memory.buffer, RAM, cpu.ram);
  const run = (instructions = 100_000): Stop => machine.run({ instructions });
  return { machine, cpu, a, view, run };
}

Deno.test("a host gets exceptions before the IDT: vector, kind, error code and address, with RIP on the instruction", () => {
  const seen: unknown[] = [];
  const { cpu, run, a } = hosted({
    deliver: (vector, kind, errorCode, address) => {
      seen.push([vector, kind, errorCode, address, cpu.rip - start]);
      cpu.rip = next[seen.length - 1] ?? 0;
      return true;
    },
  }, (a) => {
    a.emit("ud2").label("1").emit("xor", "ecx", "ecx").label("d").emit("div", "ecx").label("2");
    a.label("s").emit("mov", "ss", "ax").label("3").emit("mov", "eax", 7);
  });
  const next = ["1", "2", "3"].map((name) => a.address(name));
  assert.deepEqual(run(), { kind: "stopped" });
  const off = (name: string) => a.address(name) - start;
  assert.deepEqual(seen, [
    [6, "fault", undefined, undefined, 0],
    [0, "fault", undefined, undefined, off("d")],
    [13, "fault", 0, undefined, off("s")],
  ]);
  assert.equal(cpu.low(0), 7);
});

Deno.test("a host gets page faults with their address, and CR2 stays as it is", () => {
  const seen: unknown[] = [];
  const { machine, cpu, run, a, view } = hosted({
    deliver: (vector, kind, errorCode, address) => {
      seen.push([vector, kind, errorCode, address]);
      // The page is put there, and the instruction is tried again.
      view.setUint32(0x30_1000 + 4 * 0x3ff, 0x40_0003, true);
      return true;
    },
  }, (a) => {
    a.emit("mov", mem({ disp: 0x3f_f123, size: 32 }), 0x1234_5678);
    a.emit("mov", "eax", mem({ disp: 0x40_0123 & 0x3f_ffff | 0x3f_f000 }));
  }, { level: 1 });
  assert.ok(a.address("end") > start);
  // 4 MiB one to one, but for the last page.
  view.setUint32(0x30_0000, 0x30_1003, true);
  for (let n = 0; n < 0x3ff; n++) view.setUint32(0x30_1000 + 4 * n, 0x1000 * n | 3, true);
  cpu.cr3 = 0x30_0000n;
  cpu.cr0 = (cpu.cr0 | cr0Bits.PG | cr0Bits.WP) >>> 0;
  machine.mmu.flush(true);
  assert.deepEqual(run(), { kind: "stopped" });
  // Level 1 is the supervisor's.
  assert.deepEqual(seen, [[14, "fault", 2, 0x3f_f123]]);
  assert.equal(cpu.cr2, 0n);
  assert.equal(view.getUint32(0x40_0123, true), 0x1234_5678);
  assert.equal(cpu.low(0), 0x1234_5678);
});

Deno.test("a host gets interrupts of devices, and wakes what waits", () => {
  const seen: [number, EventKind][] = [];
  const { cpu, run } = hosted({
    deliver: (vector, kind) => {
      seen.push([vector, kind]);
      return true;
    },
  }, (a) => {
    const writes = [[0x20, 0x11], [0x21, 0x30], [0x21, 4], [0x21, 1], [0x21, 0xfe], [0x43, 0x34]];
    for (const [port, value] of [...writes, [0x40, 0], [0x40, 4]]) {
      a.emit("mov", "al", value ?? 0).emit("out", port ?? 0, "al");
    }
    a.emit("sti").emit("hlt").emit("cli").emit("mov", "ebx", 5);
  });
  assert.deepEqual(run(), { kind: "stopped" });
  assert.deepEqual(seen, [[0x30, "interrupt"]]);
  assert.equal(cpu.low(3), 5);
});

Deno.test("a host gets INT n, INT3 and INTO with RIP on them and the next address behind; what it leaves goes through the IDT", () => {
  const seen: unknown[] = [];
  const { cpu, run } = hosted({
    interrupt: (vector) => {
      seen.push([vector, cpu.rip - start, cpu.nextRip - cpu.rip]);
      if (vector === 0x80) return false;
      cpu.setAddress(0, 0x77, 32);
      cpu.rip = cpu.nextRip;
      return true;
    },
    deliver: (vector, kind, errorCode) => {
      seen.push([vector, kind, errorCode]);
      cpu.rip += 2;
      return true;
    },
  }, (a) => {
    a.emit("int", 0x1f).emit("int3").emit("mov", "cl", 0x7f).emit("add", "cl", 1).emit("into");
    a.emit("int", 0x80).emit("inc", "ebx");
  }, { level: 1 });
  assert.deepEqual(run(), { kind: "stopped" });
  assert.deepEqual(seen, [
    ...[[0x1f, 0, 2], [3, 2, 1], [4, 8, 1], [0x80, 9, 2]],
    // The table has no place for it.
    [13, "fault", 0x402],
  ]);
  assert.deepEqual([cpu.low(0), cpu.low(3)], [0x77, 1]);
});

Deno.test("a host gets hypercalls and fast system calls; VMCALL that it declines is undefined", () => {
  const seen: unknown[] = [];
  const { cpu, run } = hosted(
    {
      systemCall: (kind) => {
        seen.push(kind);
        cpu.rip = cpu.nextRip;
        return true;
      },
      call: () => false,
      deliver: (vector) => {
        seen.push(vector);
        cpu.shutDown = true;
        return true;
      },
    },
    (a) => a.emit("sysenter"),
    { level: 3 },
  );
  assert.deepEqual(run(), { kind: "triple-fault" });
  assert.deepEqual(seen, ["sysenter", 6]);
});

Deno.test("a host gets what level 1 may not do, before it faults, and what it declines faults", () => {
  const lines: [string, (a: Assembler) => void][] = [
    ["cli", (a) => a.emit("cli")],
    ["sti", (a) => a.emit("sti")],
    ["hlt", (a) => a.emit("hlt")],
    ["mov to cr3", (a) => a.emit("mov", "cr3", "eax")],
    ["mov from cr0", (a) => a.emit("mov", "eax", "cr0")],
    ["mov to dr7", (a) => a.emit("mov", "dr7", "eax")],
    ["clts", (a) => a.emit("clts")],
    ["lgdt", (a) => a.emit("lgdt", mem({ disp: 0x2000 }))],
    ["lidt", (a) => a.emit("lidt", mem({ disp: 0x2000 }))],
    ["lldt", (a) => a.emit("lldt", "ax")],
    ["ltr", (a) => a.emit("ltr", "ax")],
    ["lmsw", (a) => a.emit("lmsw", "ax")],
    ["invlpg", (a) => a.emit("invlpg", mem({ disp: 0x2000, size: 8 }))],
    ["wbinvd", (a) => a.emit("wbinvd")],
    ["rdmsr", (a) => a.emit("rdmsr")],
    ["wrmsr", (a) => a.emit("wrmsr")],
    ["in", (a) => a.emit("in", "al", 0x70)],
    ["out", (a) => a.emit("out", "dx", "eax")],
    ["ins", (a) => a.emit("rep insb")],
    ["outs", (a) => a.emit("rep outsw")],
    ["rdtsc", (a) => a.emit("rdtsc")],
    ["rdtscp", (a) => a.emit("rdtscp")],
    ["rdpmc", (a) => a.emit("rdpmc")],
    ["sysexit", (a) => a.emit("sysexit")],
  ];
  for (const [name, write] of lines) {
    for (const accepts of [true, false]) {
      const seen: unknown[] = [];
      const { cpu, run, a } = hosted({
        privileged: (i, form) => {
          seen.push([form.mnemonics[0], cpu.rip - start, i.length]);
          if (!accepts) return false;
          cpu.setAddress(0, 0x4321, 32);
          cpu.rip += i.length;
          return true;
        },
        deliver: (vector, _, errorCode) => {
          seen.push([vector, errorCode, cpu.rip - start]);
          cpu.rip = a.address("behind");
          return true;
        },
      }, (a) => {
        write(a);
        a.label("behind").emit("mov", "ebx", "eax");
      }, { level: 1 });
      cpu.cr4 = cr4Bits.TSD;
      cpu.setAddress(1, 1, 32);
      const length = a.address("behind") - start;
      assert.deepEqual(run(), { kind: "stopped" }, name);
      assert.ok(seen.length > 0, `${name}: nobody was asked`);
      const asked = [(seen[0] as [string])[0], 0, length];
      assert.deepEqual(seen, accepts ? [asked] : [asked, [13, 0, 0]], name);
      assert.equal(cpu.low(3), accepts ? 0x4321 : 0, name);
    }
  }
});

Deno.test("a host answers CLI in hot loops of level 1 as often as it is executed", () => {
  let count = 0;
  const turns = hotFrom + 500;
  const { cpu, run } = hosted({
    privileged: (i) => {
      count++;
      cpu.rip += i.length;
      return true;
    },
  }, (a) => {
    a.emit("mov", "ecx", turns).label("again").emit("cli").emit("rdtsc").emit("sti");
    a.emit("dec", "ecx").emit("jnz", at("again"));
  }, { level: 1 });
  cpu.cr4 = cr4Bits.TSD;
  assert.deepEqual(run(), { kind: "stopped" });
  assert.equal(count, 3 * turns);
  assert.equal(cpu.eflags & eflag.IF, 0);
});

Deno.test("a host changes what CPUID answers, and has MSRs of its own", () => {
  const written: unknown[] = [];
  const { cpu, run } = hosted({
    cpuid: (leaf, _, answer) => {
      if (leaf === 0x4000_0000) answer.set([0x4000_0001, 0x756c_676c, 0x2121_2121, 0x2121_2121]);
    },
    readMsr: (msr) => msr === 0x4b56_4d77 ? 0x1122_3344_5566_7788n : undefined,
    writeMsr: (msr, value) => {
      if (msr !== 0x4b56_4d77) return false;
      written.push(value);
      return true;
    },
  }, (a) => {
    a.emit("mov", "eax", 0x4000_0000).emit("cpuid").emit("mov", "esi", "ebx");
    a.emit("mov", "ecx", 0x4b56_4d77).emit("rdmsr").emit("mov", "edi", "edx").emit("wrmsr");
    a.emit("mov", "ecx", 0x174).emit("wrmsr").emit("rdmsr");
  });
  assert.deepEqual(run(), { kind: "stopped" });
  assert.equal(cpu.low(6), 0x756c_676c);
  assert.equal(cpu.low(7), 0x1122_3344);
  assert.deepEqual(written, [0x1122_3344_5566_7788n]);
  assert.deepEqual([cpu.low(0), cpu.low(2)], [0x5566_7788, 0x1122_3344]);
});

for (const isPaged of [false, true]) {
  Deno.test(`a host translates addresses with paging ${isPaged ? "on" : "off"}: code, data, stack, across pages, in hot code; or leaves them`, () => {
    let offset = 0x20_0000;
    const asked = new Set<number>();
    const { machine, cpu, run, view } = hosted({
      translate: (linear) => {
        asked.add(linear >>> 12);
        // The first MiB is left to the processor.
        return linear < start ? undefined : linear + offset;
      },
    }, (a) => {
      a.emit("mov", mem({ disp: 0x18_0ffe, size: 32 }), 0x1234_5678).emit("push", 0x55);
      a.emit("mov", "ebx", mem({ disp: 0x8000 })).emit("mov", "ecx", 2 * hotFrom);
      a.label("again").emit("add", mem({ disp: 0x18_2000, size: 32 }), 1).emit("dec", "ecx");
      a.emit("jnz", at("again"));
    });
    for (let n = 0; n < 0x100; n++) view.setUint8(start + offset + n, view.getUint8(start + n));
    machine.memory.write(start, new Uint8Array(0x100).fill(0xf4));
    view.setUint32(0x8000, 0x99, true);
    if (isPaged) {
      // Page 8 leads to page 9, the rest nowhere.
      view.setUint32(0x5000, 0x6003, true);
      view.setUint32(0x6000 + 4 * 8, 0x9003, true);
      view.setUint32(0x9000, 0x88, true);
      cpu.cr3 = 0x5000n;
      cpu.cr0 = (cpu.cr0 | cr0Bits.PG) >>> 0;
    }
    machine.mmu.flush(true);
    assert.deepEqual(run(), { kind: "stopped" });
    assert.equal(view.getUint32(0x18_0ffe + offset, true), 0x1234_5678);
    assert.equal(view.getUint32(0x20_0000 - 4 + offset, true), 0x55);
    assert.equal(view.getUint32(0x18_2000 + offset, true), 2 * hotFrom);
    assert.equal(view.getUint32(0x18_0ffe, true), 0);
    assert.equal(cpu.low(3), isPaged ? 0x88 : 0x99);
    assert.ok(asked.has(0x180) && asked.has(0x181) && asked.has(start >>> 12));
    assert.ok(machine.engine.regions.compiled > 0);
    // The host changes its mind, and says so.
    for (let n = 0; n < 0x100; n++) {
      view.setUint8(start + 0x30_0000 + n, view.getUint8(start + offset + n));
    }
    offset = 0x30_0000;
    machine.mmu.flush(true);
    cpu.rip = start;
    assert.deepEqual(run(), { kind: "stopped" });
    assert.equal(view.getUint32(0x18_2000 + offset, true), 2 * hotFrom);
    assert.equal(view.getUint32(0x18_2000 + 0x20_0000, true), 2 * hotFrom);
  });
}
