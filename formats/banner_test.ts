import assert from "node:assert/strict";
import fc from "fast-check";
import { joined, latin1 } from "../testdata/elf_builder.ts";
import { findSequence } from "./_find.ts";
import { findBanner } from "./banner.ts";

/** Banners of kernels from 0.99 to 7.2, as the kernels print them. */
const banners: readonly (readonly [release: string, text: string])[] = [
  [
    "6.1.0-56-amd64",
    "Linux version 6.1.0-56-amd64 (debian-kernel@lists.debian.org) " +
    "(gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) " +
    "# SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)",
  ],
  ["2.6.24", "Linux version 2.6.24 (me@here) (gcc version 4.2.3) #1 SMP Mon Jan 28 12:00:00 2008"],
  ["1.2.13", "Linux version 1.2.13 (root@bigboy) (gcc version 2.6.3) #1 Wed Aug 2 1995"],
  ["0.99.14u", "Linux version 0.99.14u (root@here) Mon Jan 10 1994"],
  ["5.10.0-rc7+", "Linux version 5.10.0-rc7+ (a@b) (clang version 11.0.0) #7 SMP x"],
];

const kernelWith = (...texts: string[]) =>
  joined(texts.flatMap((text) => [new Uint8Array(100).fill(0x4c), latin1(text)]));

Deno.test("findBanner() finds the banner and the release in it", () => {
  for (const [release, text] of banners) {
    assert.deepEqual(findBanner(kernelWith(`${text}\n\0`)), { text, release, offset: 100 });
  }
});

Deno.test("findBanner() passes over templates and messages", () => {
  const [, text = ""] = banners[0] ?? [];
  const others = [
    "Linux version %s (%s)\n\0",
    "%s version %s (me@here)\0",
    "Linux version 6.1 or later is needed\0",
    "Linux version 4 (x)\0",
    "Linux version 6.%d (%s) x\0",
    "Linux version 2.6.24 (me@here) \x01\0",
    "Linux version ",
    "Linux versionLinux version \0",
  ];
  assert.equal(findBanner(kernelWith(...others)), undefined);
  assert.equal(findBanner(kernelWith(...others, `${text}\n\0`))?.text, text);
});

Deno.test("findBanner() wants an end to the line, near", () => {
  assert.equal(findBanner(latin1("Linux version 6.1.0 (me@here) #1")), undefined);
  assert.equal(findBanner(latin1(`Linux version 6.1.0 (me) ${"x".repeat(2000)}\n\0`)), undefined);
  assert.equal(findBanner(new Uint8Array()), undefined);
});

Deno.test("findBanner() does not lose itself in a file full of beginnings", () => {
  const bytes = latin1("Linux version 1.0 (".repeat(1 << 18));
  const start = performance.now();
  assert.equal(findBanner(bytes), undefined);
  assert.ok(performance.now() - start < 2000);
});

Deno.test("findSequence() finds what a plain search finds", () => {
  const letters = fc.stringMatching(/^[ab]{1,6}$/);
  fc.assert(
    fc.property(fc.stringMatching(/^[abc]{0,60}$/), letters, fc.nat(20), (text, wanted, from) => {
      assert.equal(findSequence(latin1(text), wanted, from), text.indexOf(wanted, from));
    }),
    { seed: 1980, numRuns: 2000, examples: [["aba", "ab", 5], ["", "a", 0]] },
  );
});

Deno.test("a kernel of 66 MB without a banner is searched in well under a second", () => {
  const bytes = new Uint8Array(66 << 20);
  for (let i = 0, x = 1; i < bytes.length; i++) bytes[i] = x = x * 75 % 65537;
  findBanner(bytes.subarray(0, 1 << 20));
  const start = performance.now();
  assert.equal(findBanner(bytes), undefined);
  assert.ok(performance.now() - start < 1000);
});

Deno.test("the banner with a build number is taken, wherever the weak one stands", () => {
  const weak = "Linux version 6.1.0 (me@here) (gcc) # SMP\n";
  const real = "Linux version 6.1.0 (me@here) (gcc) #1 SMP Mon\n";
  const bytes = (text: string) => new TextEncoder().encode(text);
  assert.equal(findBanner(bytes(`${weak}\0${real}\0`))?.text, real.trim());
  assert.equal(findBanner(bytes(`${real}\0${weak}\0`))?.text, real.trim());
  assert.equal(findBanner(bytes(`${weak}\0`))?.text, weak.trim());
});
