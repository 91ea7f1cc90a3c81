/**
 * What `readelf -hlS --wide` says of an ELF, in a form in which ours can be put
 * too: the witness for program headers and section headers.
 *
 * @module
 */

import type { Elf } from "../formats/elf.ts";
import { sectionName, segmentName } from "../formats/elf_tables.ts";

/** The figures of an ELF, a line a header. */
export interface Figures {
  /** Entry address, in hexadecimal. */
  readonly entry: string;
  /** "LOAD 0x1000 0xc1000000 0x1000000 0xa93534 0xa93534 RE 0x1000": readelf's columns. */
  readonly phdrs: readonly string[];
  /** ".text PROGBITS c1000000 001000 a93534 00 AX 0 0 4096": readelf's columns. */
  readonly sections: readonly string[];
}

/** Reads readelf's own output. */
export function parseReadelf(text: string): Figures {
  const phdrs: string[] = [];
  const sections: string[] = [];
  let entry = "";
  for (const line of text.split("\n")) {
    entry = line.match(/Entry point address:\s+(0x[0-9a-f]+)/)?.[1] ?? entry;
    const p = line.match(/^ {2}(\w+) +((?:0x[0-9a-f]+ +){5})([RWE ]{3}) (0x[0-9a-f]+)$/);
    if (p) phdrs.push([p[1], ...numbers(p[2], 16), p[3]?.replaceAll(" ", ""), p[4]].join(" "));
    const s = line.match(
      /^ {2}\[ *\d+\] (.{17,}?) +([A-Z_]+) +((?:[0-9a-f]+ +){4})([A-Za-z]*) +(\d+ +\d+ +\d+)$/,
    );
    if (s) {
      const where = numbers(s[3], 16);
      sections.push([s[1]?.trim(), s[2], ...where, s[4], ...numbers(s[5], 10)].join(" "));
    }
  }
  return { entry, phdrs, sections };
}

const numbers = (columns = "", radix: 10 | 16): string[] =>
  columns.trim().split(/ +/).map((n) =>
    radix === 16 ? `0x${BigInt(n.startsWith("0x") ? n : `0x${n}`).toString(16)}` : n
  );

/** Puts ours in the same form. */
export function figuresOf(elf: Elf): Figures {
  const hex = (n: bigint | number) => `0x${n.toString(16)}`;
  return {
    entry: hex(elf.entry),
    phdrs: elf.phdrs.map((p) => {
      const rights = `${p.flags & 4 ? "R" : ""}${p.flags & 2 ? "W" : ""}${p.flags & 1 ? "E" : ""}`;
      const columns = [p.offset, p.vaddr, p.paddr, p.filesz, p.memsz].map(hex);
      const align = p.align === 0n ? "0" : hex(p.align);
      return [segmentName(p.type).replace("PT_", ""), ...columns, rights, align].join(" ");
    }),
    sections: elf.sections.map((s) => {
      const columns = [s.addr, s.offset, s.size, s.entsize].map(hex);
      const type = sectionName(s.type).replace("SHT_", "");
      return [s.name, type, ...columns, letters(s.flags), s.link, s.info, s.addralign].join(" ");
    }),
  };
}

/** Section flags by readelf's letters, in its order. */
function letters(flags: bigint): string {
  return [..."WAX MSILOGTC"].filter((letter, bit) => letter !== " " && flags >> BigInt(bit) & 1n)
    .join("");
}
