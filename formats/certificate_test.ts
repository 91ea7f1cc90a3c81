import assert from "node:assert/strict";
import { peImage, winCertificate, withCertificates } from "../testdata/pe_builder.ts";
import {
  authenticodeDigest,
  authenticodeRanges,
  checkDigests,
  decodeCertificates,
} from "./certificate.ts";
import { hexBytes } from "./der.ts";
import { decodePe, type Pe } from "./pe.ts";

const peOf = (bytes: Uint8Array): Pe => {
  const pe = decodePe(bytes);
  assert.ok(pe !== undefined);
  return pe;
};
const signed = () => Deno.readFileSync(new URL("../testdata/pe/signed.efi", import.meta.url));
const verdicts = async (bytes: Uint8Array) => {
  const pe = peOf(bytes);
  return (await checkDigests(bytes, pe, decodeCertificates(bytes, pe))).map((v) => v.status);
};

// pesign -h -i signed.efi; osslsigncode verify, before the second signature came.
const pesignSha256 = "804e3745916319d112ca581aeaf0aabff85cf82086dde60d07b7a7299c406952";
const osslsigncodeSha384 = "5cc6c4b28df20b515b3e4b482020dc9842cf5fbbd81b1cce" +
  "05ce78a71ca988f5f63f32d6540f87ae0cc45fda0b12371c";

Deno.test("the Authenticode digest is the one pesign and osslsigncode compute", async () => {
  const bytes = signed();
  const pe = peOf(bytes);
  assert.equal(hexBytes(await authenticodeDigest(bytes, pe, "SHA-256")), pesignSha256);
  assert.equal(hexBytes(await authenticodeDigest(bytes, pe, "SHA-384")), osslsigncodeSha384);
});

// openssl x509 -noout -subject -issuer -serial -dates, of both certificates.
const root = {
  subject: "C=XX, O=Example, CN=Example Secure Boot CA",
  issuer: "C=XX, O=Example, CN=Example Secure Boot CA",
  serial: "32e45a3c76a54d6e25f22636c8274db4da82b993",
  notBefore: "2026-11-22T19:42:49Z",
  notAfter: "2036-11-19T19:42:49Z",
};
const leaf = {
  subject: "C=XX, ST=Nowhere, L=Town, O=Exämple, OU=Kernels, CN=Example Signer, " +
    "emailAddress=a@example.org",
  issuer: root.subject,
  serial: "0123456789abcdef",
  notBefore: "2026-11-22T19:42:49Z",
  notAfter: "2081-08-25T19:42:49Z",
};

Deno.test("certificates and signers are as openssl shows them", () => {
  const bytes = signed();
  const { certificates, complaints } = decodeCertificates(bytes, peOf(bytes));
  assert.deepEqual(complaints, []);
  assert.deepEqual(certificates.map((c) => [c.revision, c.type]), [[0x200, 2], [0x200, 2]]);
  const told = certificates.map(({ signature }) => ({
    algorithm: signature?.digestAlgorithm,
    certificates: signature?.certificates.map(({ subject, issuer, ...rest }) => ({
      subject: subject.text,
      issuer: issuer.text,
      serial: rest.serial,
      notBefore: rest.notBefore,
      notAfter: rest.notAfter,
    })),
    signers: signature?.signers.map(({ issuer, subject, ...rest }) => ({
      issuer: issuer?.commonName,
      subject: subject?.commonName,
      ...rest,
    })),
  }));
  assert.deepEqual(told, [
    {
      algorithm: "SHA-384",
      certificates: [leaf],
      signers: [{
        issuer: "Example Secure Boot CA",
        subject: "Example Signer",
        serial: leaf.serial,
        digestAlgorithm: "SHA-384",
        signingTime: "2025-12-31T23:58:20Z", // 1767225500
        timeStamp: "2026-01-01T00:00:00Z", // 1767225600
      }],
    },
    {
      algorithm: "SHA-256",
      certificates: [root],
      signers: [{
        issuer: "Example Secure Boot CA",
        subject: "Example Secure Boot CA",
        serial: root.serial,
        digestAlgorithm: "SHA-256",
        signingTime: "2026-11-22T19:42:49Z",
      }],
    },
  ]);
});

Deno.test("an image matches its signatures until a byte of it changes", async () => {
  const bytes = signed();
  assert.deepEqual(await verdicts(bytes), ["matches", "matches"]);
  const { checksum } = { checksum: peOf(bytes).optionalOffset + 0x40 };
  const changed = async (at: number) => {
    const copy = Uint8Array.from(bytes);
    copy[at] = (copy[at] ?? 0) ^ 1;
    return (await verdicts(copy)).join();
  };
  assert.equal(await changed(0x200), "changed,changed");
  assert.equal(await changed(2), "changed,changed");
  assert.equal(await changed(checksum), "matches,matches");
});

Deno.test("the digest leaves out checksum, directory entry and table, and nothing else", () => {
  const image = peImage({
    sections: [
      { name: ".b", bytes: "b", raw: [0x800, 0x200], virtualAddress: 0x1000 },
      { name: ".a", bytes: "a", raw: [0x600, 0x200], virtualAddress: 0x2000 },
    ],
    sizeOfHeaders: 0x600,
  });
  const whole = new Uint8Array(image.length + 5); // something behind the sections
  whole.set(image);
  const bytes = withCertificates(whole, winCertificate({ bytes: new Uint8Array(9) }));
  const pe = peOf(bytes);
  const checksum = pe.optionalOffset + 0x40;
  const entry = pe.directoriesOffset + 32;
  const table = Math.ceil(whole.length / 8) * 8;
  assert.deepEqual(authenticodeRanges(bytes, pe).map(({ start, end }) => [start, end]), [
    [0, checksum],
    [checksum + 4, entry],
    [entry + 8, 0x600],
    [0x600, 0x800],
    [0x800, 0xa00],
    [0xa00, table],
  ]);
});

Deno.test("sections that overlap cannot make the digest run over more than the file", async () => {
  const sections = Array.from({ length: 20 }, (_, i) => ({
    name: `.${i}`,
    bytes: "x",
    raw: [0x600, 0x200] as const,
  }));
  const image = peImage({ sections, sizeOfHeaders: 0x600 });
  await assert.rejects(
    authenticodeDigest(image, peOf(image), "SHA-256"),
    /IMAGE_SECTION_HEADER\.PointerToRawData at 0x[0-9a-f]+: .* so overlap/,
  );
});

Deno.test("an unsigned image has an empty table", () => {
  const image = peImage({ sections: [] });
  assert.deepEqual(decodeCertificates(image, peOf(image)), {
    offset: 0,
    size: 0,
    certificates: [],
    complaints: [],
  });
});

Deno.test("entries of other types are passed over, bad ones complained of", async () => {
  const read = (table: Uint8Array) => {
    const image = withCertificates(peImage({ sections: [] }), table);
    return decodeCertificates(image, peOf(image));
  };
  const x509 = winCertificate({ bytes: Uint8Array.of(1, 2, 3), type: 1 });
  const found = read(x509);
  assert.deepEqual(found.complaints, []);
  assert.deepEqual([...found.certificates[0]?.data ?? []], [1, 2, 3]);
  assert.equal(found.certificates[0]?.signature, undefined);

  const long = read(winCertificate({ bytes: new Uint8Array(8), length: 1000 }));
  assert.deepEqual(long.complaints.map((c) => c.message), [
    "dwLength needs 8 to 16, found 1000",
  ]);
  const none = read(winCertificate({ bytes: new Uint8Array(8), length: 0 }));
  assert.deepEqual(none.complaints.map((c) => c.message), ["dwLength needs 8 to 16, found 0"]);
  const junk = read(winCertificate({ bytes: Uint8Array.of(0x30, 0x82, 0xff, 0xff) }));
  assert.equal(junk.complaints[0]?.rule, "certificate.pkcs7");
  assert.match(junk.complaints[0]?.message ?? "", /65535 bytes of content, though 0 are left/);

  const many = new Uint8Array(100 * 8);
  for (let at = 0; at < many.length; at += 8) many.set([8, 0, 0, 0, 0, 2, 1, 0], at);
  assert.equal(read(many).certificates.length, 64);
  assert.match(read(many).complaints[0]?.message ?? "", /more than 64 entries/);

  const image = withCertificates(peImage({ sections: [] }), x509);
  assert.deepEqual(await verdicts(image), []);
});
