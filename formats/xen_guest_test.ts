import assert from "node:assert/strict";
import { elf, latin1 } from "../testdata/elf_builder.ts";
import { decodeElf } from "./elf.ts";
import { decodeXenGuest } from "./xen_guest.ts";

/** GNU Mach 1.8's, i386, as `readelf -p __xen_guest` prints it. */
const gnuMach = "GUEST_OS=GNU Mach,GUEST_VERSION=1.3,XEN_VER=xen-3.0,VIRT_BASE=0xC0000000," +
  "ELF_PADDR_OFFSET=0xC0000000,HYPERCALL_PAGE=0x2,PAE=yes[extended-cr3],LOADER=generic," +
  "FEATURES=pae_pgdir_above_4gb";

const guestOf = (text: string) => {
  const bytes = elf({ sections: [{ name: "__xen_guest", data: latin1(text) }] });
  return decodeXenGuest(bytes, decodeElf(bytes));
};

Deno.test("__xen_guest is read key by key, in order", () => {
  const guest = guestOf(`${gnuMach}\0`);
  assert.equal(guest?.text, gnuMach);
  assert.equal(guest?.offset, 64);
  assert.deepEqual([...guest?.values ?? []], [
    ["GUEST_OS", "GNU Mach"],
    ["GUEST_VERSION", "1.3"],
    ["XEN_VER", "xen-3.0"],
    ["VIRT_BASE", "0xC0000000"],
    ["ELF_PADDR_OFFSET", "0xC0000000"],
    ["HYPERCALL_PAGE", "0x2"],
    ["PAE", "yes[extended-cr3]"],
    ["LOADER", "generic"],
    ["FEATURES", "pae_pgdir_above_4gb"],
  ]);
});

Deno.test("a key may stand alone, and what is no pair is passed over", () => {
  assert.deepEqual([...guestOf("BSD_SYMTAB,,=x,LOADER=a=b")?.values ?? []], [
    ["BSD_SYMTAB", ""],
    ["LOADER", "a=b"],
  ]);
  assert.equal(guestOf("")?.values.size, 0);
});

Deno.test("an ELF without the section has no __xen_guest", () => {
  const bytes = elf();
  assert.equal(decodeXenGuest(bytes, decodeElf(bytes)), undefined);
});
