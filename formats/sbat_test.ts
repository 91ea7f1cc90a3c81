import assert from "node:assert/strict";
import { decodeSbat } from "./sbat.ts";

Deno.test("decodeSbat() parts lines into fields and stops at the first NUL", () => {
  const text = "sbat,1,SBAT Version,sbat,1,https://example.org/sbat\n" +
    "shim.debian,4,Debian,shim,15.8,https://example.org/?a=1,2\r\n\n\0\0garbage";
  assert.deepEqual(decodeSbat(text), [
    {
      component: "sbat",
      generation: 1,
      vendor: "SBAT Version",
      package: "sbat",
      version: "1",
      url: "https://example.org/sbat",
    },
    {
      component: "shim.debian",
      generation: 4,
      vendor: "Debian",
      package: "shim",
      version: "15.8",
      url: "https://example.org/?a=1,2",
    },
  ]);
});

Deno.test("decodeSbat() leaves what is missing empty, and a generation that is none NaN", () => {
  assert.deepEqual(decodeSbat("\ufeffgrub,x"), [
    { component: "grub", generation: NaN, vendor: "", package: "", version: "", url: "" },
  ]);
  assert.deepEqual(decodeSbat(""), []);
});
