import assert from "node:assert/strict";
import { keyValues, sideBySide, table } from "./table.ts";
import { MemoryTerminal } from "./terminal.ts";
import { plain, visibleWidth } from "./text.ts";

const pipe = new MemoryTerminal();
const screen = new MemoryTerminal({ isTerminal: true, columns: 40, noColor: true });

const columns = [
  { title: "offset", align: "right" },
  { title: "field" },
  { title: "meaning", fit: "wrap" },
] as const;
const rows = [
  ["0x1f1", "setup_sects", "Length of the real-mode code, less the boot sector"],
  ["0x206", "version", "2.15"],
];

Deno.test("table() lines up columns and leaves no space at the end of a line", () => {
  assert.equal(
    table(pipe, columns, rows),
    [
      "offset  field        meaning",
      " 0x1f1  setup_sects  Length of the real-mode code, less the boot sector",
      " 0x206  version      2.15",
      "",
    ].join("\n"),
  );
});

Deno.test("table() wraps on a terminal what it leaves whole in a pipe", () => {
  assert.equal(
    table(screen, columns, rows),
    [
      "offset  field        meaning",
      " 0x1f1  setup_sects  Length of the",
      "                     real-mode code,",
      "                     less the boot",
      "                     sector",
      " 0x206  version      2.15",
      "",
    ].join("\n"),
  );
});

Deno.test("table() cuts where it is told to, and never a column that is to stay whole", () => {
  const text = table(screen, [{}, { fit: "cut" }], [["0xffffffff81000000", "x".repeat(60)]]);
  assert.equal(text, `0xffffffff81000000  ${"x".repeat(19)}…\n`);
  assert.equal(visibleWidth(text.trimEnd()), 40);
  const whole = table(screen, [{}, {}], [["y".repeat(50), "z"]]);
  assert.equal(whole, `${"y".repeat(50)}  z\n`);
});

Deno.test("table() without headings has no heading line, without rows only that", () => {
  assert.equal(table(pipe, [{}, {}], [["a", "b"]]), "a  b\n");
  assert.equal(table(pipe, columns, []), "offset  field  meaning\n");
  assert.equal(table(pipe, [{}, {}], []), "");
});

Deno.test("table() is the same with colour, less the colour", () => {
  const coloured = new MemoryTerminal({ isTerminal: true, columns: 40 });
  const text = table(coloured, columns, rows);
  assert.notEqual(text, table(screen, columns, rows));
  assert.equal(plain(text), table(screen, columns, rows));
});

Deno.test("keyValues() leaves out what there is no value for", () => {
  assert.equal(
    keyValues(pipe, [["release", "6.12.48"], ["signature", undefined], ["entry", "0x1000000"]], {
      indent: 2,
    }),
    "  release  6.12.48\n  entry    0x1000000\n",
  );
});

Deno.test("keyValues() hangs a long value under itself", () => {
  assert.equal(
    keyValues(screen, [["cmdline", "root=/dev/sda1 ro console=ttyS0 quiet splash"]]),
    "cmdline  root=/dev/sda1 ro console=ttyS0\n         quiet splash\n",
  );
});

Deno.test("sideBySide() marks what differs as diff(1) does", () => {
  assert.equal(
    sideBySide(pipe, [
      { left: "protocol 2.12", right: "protocol 2.15" },
      { left: "gzip", right: "gzip" },
      { left: "ext_ramdisk" },
      { right: "kernel_info" },
    ]),
    [
      "protocol 2.12 | protocol 2.15",
      "gzip            gzip",
      "ext_ramdisk   <",
      "              > kernel_info",
      "",
    ].join("\n"),
  );
});

Deno.test("sideBySide() keeps each side in its half of the terminal", () => {
  const text = sideBySide(screen, [{
    left: "Memory in one piece that the kernel needs",
    right: "Memory in one piece that it needs",
  }]);
  assert.equal(
    text,
    [
      "Memory in one      | Memory in one",
      "piece that the     | piece that it",
      "kernel needs       | needs",
      "",
    ].join("\n"),
  );
});
