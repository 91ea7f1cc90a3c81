import assert from "node:assert/strict";
import { acpi } from "../../testdata/board/acpi.ts";
import { Board } from "../board.ts";
import { acpiTables } from "./acpi_tables.ts";

const base = 0xe0000;

Deno.test("iasl reads every table without a warning, and writes it again as it is", () => {
  const tables = new Board().acpiTables(base) ?? new Uint8Array();
  const names = Object.keys(acpi);
  assert.deepEqual(names.toSorted(), ["apic", "dsdt", "facp", "facs", "hpet", "rsdt", "xsdt"]);
  for (const [name, [at, hex]] of Object.entries(acpi)) {
    const theirs = Uint8Array.fromHex(hex);
    const ours = tables.slice(at - base, at - base + theirs.length);
    // iasl signs as the compiler, which changes the sum.
    if (name !== "facs") {
      for (const bytes of [ours, theirs]) {
        bytes[9] = 0;
        bytes.fill(0, 28, 36);
      }
    }
    assert.deepEqual(ours.toHex(), theirs.toHex(), name);
  }
});

Deno.test("every sum is 0, and the RSDP leads to both lists", () => {
  const tables = new Board().acpiTables(base) ?? new Uint8Array();
  const view = new DataView(tables.buffer);
  const sum = (at: number, size: number) =>
    tables.subarray(at, at + size).reduce((a, b) => a + b, 0) & 0xff;
  const text = (at: number, size: number) =>
    new TextDecoder().decode(tables.subarray(at, at + size));
  assert.equal(text(0, 8), "RSD PTR ");
  assert.deepEqual([sum(0, 20), sum(0, 36)], [0, 0]);
  const lists = [[16, "RSDT", 4], [24, "XSDT", 8]] as const;
  for (const [pointer, signature, step] of lists) {
    const at = view.getUint32(pointer, true) - base;
    assert.equal(text(at, 4), signature);
    const size = view.getUint32(at + 4, true);
    assert.equal(sum(at, size), 0);
    const found = [];
    for (let i = at + 36; i < at + size; i += step) {
      const table = view.getUint32(i, true) - base;
      assert.equal(sum(table, view.getUint32(table + 4, true)), 0);
      found.push(text(table, 4));
    }
    assert.deepEqual(found, ["FACP", "APIC", "HPET"]);
  }
});

Deno.test("a board without a device has no table for it", () => {
  const without = acpiTables({ base, localApics: [] });
  const text = new TextDecoder("latin1").decode(without);
  assert.ok(!text.includes("APIC") && !text.includes("HPET") && !text.includes("PCI0"));
  assert.ok(text.includes("FACP") && text.includes("DSDT"));
  assert.equal(new Board({ profile: "micro" }).acpiTables(base), undefined);
});
