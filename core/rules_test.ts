import assert from "node:assert/strict";
import { bzImage, type Recipe } from "../testdata/bzimage_builder.ts";
import { openBootImage } from "./boot_image.ts";
import { judgeBootImage, rules } from "./rules.ts";

/** A gzip stream of nothing: enough for a payload that nobody opens. */
const gzipped = Uint8Array.of(
  ...[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3],
  ...[3, 0, 0, 0, 0, 0, 0, 0, 0, 0],
);

/** A byte of the image changed, its checksum made after. */
const patch = (at: number, ...bytes: number[]) => (image: Uint8Array) => image.set(bytes, at);

/** An image that breaks just this rule, by rule. */
const breaking: Readonly<Record<string, Recipe>> = {
  "boot-flag": { edit: patch(0x1fe, 0) },
  "version": { protocol: 0x200, edit: patch(0x206, 0x06, 0x01) },
  "burnt-version": { protocol: 0x20e },
  "future-version": { edit: patch(0x206, 0x10, 0x02) },
  "header-end": { edit: patch(0x201, 0x8f) },
  "header-longer": { protocol: 0x208, edit: patch(0x201, 0x6a) },
  "header-shorter": { edit: patch(0x201, 0x62) },
  "setup-limit": { setupSects: 65 },
  "setup-signature": { edit: (image) => image.fill(0, 0x280, 0x320) },
  "syssize": { edit: patch(0x1f4, 0xff, 0xff) },
  "syssize-rounded": {},
  "syssize-zero": { protocol: 0x203, edit: patch(0x1f4, 0, 0) },
  "trailing-bytes": { trailing: new Uint8Array(40) },
  "alignment": { edit: patch(0x230, 0x03, 0, 0, 0) },
  "loadflags": { edit: patch(0x211, 0x41) },
  "loader-fields": { subarch: 1 },
  "sentinel": { edit: patch(0x1ef, 0) },
  "checksum-absent": { crc: false },
  "zimage": { high: false, protocol: 0x203 },
  "old-image": { protocol: 0 },
};

const judged = (image: Uint8Array) => judgeBootImage(openBootImage(image)).map(({ rule }) => rule);

Deno.test("a sound image of every protocol breaks no rule", () => {
  for (let protocol = 0x200; protocol <= 0x20f; protocol++) {
    if (protocol === 0x20e) continue;
    const image = bzImage({ protocol, ...(protocol >= 0x208 && { payload: gzipped }) });
    assert.deepEqual(judged(image), [], `protocol ${protocol.toString(16)}`);
  }
});

for (const [rule, recipe] of Object.entries(breaking)) {
  Deno.test(`rule ${rule} finds the image that breaks it`, () => {
    const whole = bzImage({ payload: gzipped, ...recipe });
    const image = rule === "syssize-rounded" ? whole.subarray(0, -3) : whole;
    const found = judgeBootImage(openBootImage(image)).filter((c) => c.rule === rule);
    assert.equal(found.length > 0, true, `found ${judged(image).join(" ")}`);
    for (const { severity, offset, message } of found) {
      assert.equal(severity, rules[rule]?.severity);
      assert.ok(offset >= 0 && offset <= image.length);
      assert.ok(message.length > 0 && !message.endsWith("."));
    }
  });
}

Deno.test("a file cut within the setup code breaks setup-size", () => {
  const image = bzImage({ payload: gzipped }).subarray(0, 0x300);
  assert.ok(judged(image).includes("setup-size"));
});

Deno.test("a payload past the protected-mode part is an error with its place", () => {
  const image = bzImage({ payload: gzipped, header: { payload_length: 0x7fffffff } });
  assert.ok(judged(image).includes("payload-place"));
});

Deno.test("an image changed after its build breaks checksum, and says where", () => {
  const image = bzImage({ payload: gzipped });
  image[0x1fa] = 0;
  const found = judgeBootImage(openBootImage(image)).find(({ rule }) => rule === "checksum");
  assert.equal(found?.offset, image.length - 4);
});

Deno.test("an image without sums is not judged by them", () => {
  const image = bzImage({ payload: gzipped });
  image[0x1fa] = 0;
  const complaints = judgeBootImage(openBootImage(image, 0, false));
  assert.deepEqual(complaints, []);
});

Deno.test("offsets of an image within a file count from the file's start", () => {
  const image = bzImage({ payload: gzipped, subarch: 1 });
  const file = new Uint8Array(0x1000 + image.length);
  file.set(image, 0x1000);
  const found = judgeBootImage(openBootImage(file, 0x1000));
  assert.deepEqual(found.map(({ rule, offset }) => [rule, offset]), [
    ["loader-fields", 0x1000 + 0x23c],
  ]);
});

Deno.test("every rule has an image that breaks it", () => {
  const elsewhere = ["setup-size", "payload-place", "checksum"];
  assert.deepEqual(
    Object.keys(rules).filter((rule) => !(rule in breaking) && !elsewhere.includes(rule)),
    [],
  );
});
