import assert from "node:assert/strict";
import { deb822Sources, mirrorsOf, oneLineSources, parsePackages, reason } from "./apt.ts";

Deno.test("mirrorsOf() finds both archives in one-line sources", () => {
  const sources = oneLineSources([
    "# deb http://commented.example/debian bookworm main",
    "deb-src http://source.example/debian bookworm main",
    "deb https://tool.example/apt stable-tool main",
    "deb [arch=amd64 signed-by=/a/b.gpg trusted=yes] http://one.example/debian bookworm main contrib",
    "deb http://two.example/debian-security bookworm-security main",
  ].join("\n"));
  assert.deepEqual(mirrorsOf(sources), {
    main: { uri: "http://one.example/debian", options: ["trusted=yes"] },
    security: { uri: "http://two.example/debian-security", options: [] },
  });
});

Deno.test("mirrorsOf() finds both archives in deb822 sources", () => {
  const sources = deb822Sources([
    "Types: deb",
    "Enabled: no",
    "URIs: http://off.example/debian",
    "Suites: trixie",
    "",
    "Types: deb-src",
    "URIs: http://source.example/debian",
    "Suites: trixie",
    "",
    "Types: deb deb-src",
    "# a remark within",
    "URIs: cdrom:[disc]/ http://one.example/debian",
    "Suites: trixie trixie-updates",
    "Components: main",
    "Signed-By:",
    " -----BEGIN PGP PUBLIC KEY BLOCK-----",
    " .",
    "",
    "types: deb",
    "uris:",
    "  http://two.example/debian-security",
    "suites: trixie-security",
  ].join("\n"));
  assert.deepEqual(mirrorsOf(sources), {
    main: { uri: "http://one.example/debian", options: [] },
    security: { uri: "http://two.example/debian-security", options: [] },
  });
});

Deno.test("mirrorsOf() says nothing of a machine that is not Debian", () => {
  const sources = oneLineSources("deb http://one.example/other noble main\n");
  assert.deepEqual(mirrorsOf(sources), {});
});

Deno.test("parsePackages() keeps the order and the exact versions asked for", () => {
  const packages = parsePackages([
    "Package: linux-image-686",
    "Version: 6.1.176-1",
    "Depends: linux-image-6.1.0-50-686 (= 6.1.176-1), linux-base (>= 4.3~), a | b:any",
    "Description: Linux for older PCs (meta-package)",
    " Depends: on nothing",
    "SHA256: 00ff",
    "Size: 1480",
    "",
    "Package: linux-image-686",
    "Version: 6.1.1-1",
    "Size: 1400",
    "",
    "",
  ].join("\n"));
  assert.deepEqual(packages, [
    {
      name: "linux-image-686",
      version: "6.1.176-1",
      depends: [
        { name: "linux-image-6.1.0-50-686", version: "6.1.176-1" },
        { name: "linux-base" },
        { name: "a" },
        { name: "b" },
      ],
      sha256: "00ff",
      size: 1480,
    },
    { name: "linux-image-686", version: "6.1.1-1", depends: [], sha256: "", size: 1400 },
  ]);
});

Deno.test("reason() is one line that does not say where packages come from", () => {
  const stderr = [
    "W: something small",
    "E: Failed to fetch http://one.example/debian/dists/sid/InRelease  404  Not Found [IP: 192.0.2.1 80]",
    "   Hashes of expected file:",
    "E: Some index files failed to download.",
  ].join("\n");
  assert.equal(reason(stderr), "Failed to fetch dists/sid/InRelease 404 Not Found");
  assert.equal(
    reason("W: Temporary failure resolving 'one.example'", ["one.example"]),
    "Temporary failure resolving 'the mirror'",
  );
  assert.equal(reason("Reading package lists...\n"), "");
});
