/**
 * `deno task images`: fetches the real images the integration tests use.
 *
 * What is wanted is a table (`wanted.ts`); versions are what Debian has today.
 * Package files are checked by apt against the signed index, the files kept by
 * the SHA-256 in `.images/manifest.json`. A second run fetches what is missing
 * or damaged. What cannot be had is said in one line and does not stop the rest.
 * Of the static busybox of each word size, initramfs for a shell are made.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { basename, dirname, join, relative } from "node:path";
import { Apt, machineMirrors, type Mirrors, type Package } from "./apt.ts";
import { type FetchedImage, images, imagesFolder, type Manifest } from "./images.ts";
import { makeShells } from "./shell.ts";
import { tarMembers } from "./tar.ts";
import { type Wanted, wanted, type WantedFile } from "./wanted.ts";

const usage = `Fetches real kernel images from Debian into .images/

  deno task images
  deno task images --only 'linux-6.1-*'

  --only PATTERN   only rows whose id matches; * stands for anything
  --list           print what is there and what is wanted, fetch nothing
  --refresh        fetch again, to have today's versions
  --help           print this

The cache is .images beside deno.json, or the folder ZEROPAGE_IMAGES names.
Exit code 0 if anything usable is there, 1 if nothing, 2 for wrong use.
`;

interface Options {
  readonly only: RegExp;
  readonly list: boolean;
  readonly refresh: boolean;
}

function parseArguments(args: readonly string[]): Options | string {
  let only = /^/;
  let list = false;
  let refresh = false;
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--list") list = true;
    else if (arg === "--refresh") refresh = true;
    else if (arg === "--only") {
      const pattern = rest.shift();
      if (pattern === undefined) return "--only needs a pattern";
      const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
      only = new RegExp(`^${escaped}$`);
    } else return `unknown option ${arg}`;
  }
  return { only, list, refresh };
}

/** SHA-256 in hexadecimal. */
function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Whether all that is kept of a row is there and as it was. */
async function isWhole(row: Wanted, have: readonly FetchedImage[]): Promise<boolean> {
  for (const file of row.files) {
    const one = have.find(({ id }) => id === idOf(row, file));
    if (one === undefined) {
      if (file.atLeast !== undefined) continue;
      return false;
    }
    const bytes = await Deno.readFile(one.path).catch(() => undefined);
    if (bytes === undefined || sha256(bytes) !== one.sha256) return false;
  }
  return true;
}

const message = (error: unknown) => error instanceof Error ? error.message : String(error);

const idOf = (row: Wanted, file: WantedFile) => file.id ?? row.id;

/**
 * The packages to open for a row in one version of its first package: that one
 * and those it leads to.
 */
async function closure(apt: Apt, row: Wanted, root: Package): Promise<Package[]> {
  const found = new Map<string, Package>([[root.name, root]]);
  for (const one of found.values()) {
    for (const { name, version } of one.depends) {
      if (row.follow?.test(name) !== true || found.has(name)) continue;
      const versions = await apt.packages(name);
      const match = version === undefined
        ? versions[0]
        : versions.find((candidate) => candidate.version === version);
      if (match === undefined) throw new Error(`${name} ${version ?? ""} is not in the release`);
      found.set(name, match);
    }
  }
  if (row.instead === undefined) return [...found.values()];
  const instead = new Map<string, Package>();
  for (const one of found.values()) {
    for (const name of row.instead(one.name)) {
      const match = (await apt.packages(name)).find((other) => other.version === one.version);
      if (match !== undefined) instead.set(name, match);
    }
  }
  return [...instead.values()];
}

/** Takes the wanted files out of a package file, stopping when all are seen. */
async function unpack(
  deb: string,
  pending: Set<WantedFile>,
  keep: (file: WantedFile, name: string, bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const tar = new Deno.Command("dpkg-deb", {
    args: ["--fsys-tarfile", deb],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const wantedBy = (name: string) => [...pending].find((file) => file.match.test(name));
  try {
    for await (const { name, bytes } of tarMembers(tar.stdout, (n) => wantedBy(n) !== undefined)) {
      const file = wantedBy(name);
      if (file === undefined) continue;
      pending.delete(file);
      await keep(file, name, bytes);
      if (pending.size === 0) break;
    }
  } finally {
    // Fails if it has ended by itself, which is as good.
    try {
      tar.kill();
    } catch { /* gone */ }
    await tar.status;
  }
}

/** What a row came to. */
interface Outcome {
  readonly images: readonly FetchedImage[];
  /** Bytes of package files fetched. */
  readonly fetched: number;
  /** Why it is not the newest version, if it is not. */
  readonly older?: string;
}

/** Fetches one row: the newest version of its package that can be had. */
async function fetchRow(apt: Apt, row: Wanted, folder: string): Promise<Outcome> {
  const versions = await apt.packages(row.package);
  if (versions.length === 0) throw new Error(`${row.suite} has no package ${row.package}`);
  let problem: unknown;
  for (const version of versions) {
    try {
      const outcome = await fetchVersion(apt, row, await closure(apt, row, version), folder);
      if (problem === undefined) return outcome;
      return { ...outcome, older: `${versions[0]?.version} cannot be had: ${message(problem)}` };
    } catch (error) {
      problem ??= error;
    }
  }
  throw problem;
}

/** The file's own name, after its folder's where two of a row have the same. */
function keptName(path: string, others: readonly FetchedImage[]): string {
  const isTaken = others.some((other) => basename(other.path) === basename(path));
  return isTaken ? `${basename(dirname(path))}-${basename(path)}` : basename(path);
}

async function fetchVersion(
  apt: Apt,
  row: Wanted,
  packages: readonly Package[],
  folder: string,
): Promise<Outcome> {
  const fresh = join(folder, ".work", row.id);
  await Deno.remove(fresh, { recursive: true }).catch(() => {});
  await Deno.mkdir(fresh, { recursive: true });
  const pending = new Set(row.files);
  const found: FetchedImage[] = [];
  let fetched = 0;
  // Small packages last: they are placeholders that only depend on others.
  for (const one of packages.toSorted((a, b) => b.size - a.size)) {
    if (pending.size === 0) break;
    const deb = await apt.download(one);
    fetched += one.size;
    await unpack(deb, pending, async (file, name, bytes) => {
      if (bytes.length < (file.atLeast ?? 1)) return;
      const kept = keptName(name, found);
      await Deno.writeFile(join(fresh, kept), bytes);
      found.push({
        id: idOf(row, file),
        kind: file.kind,
        package: one.name,
        version: one.version,
        architecture: row.architecture,
        suite: row.suite,
        path: `${row.id}/${kept}`,
        size: bytes.length,
        sha256: sha256(bytes),
        what: file.kind === "config" ? `configuration of ${row.what}` : row.what,
      });
    });
    await Deno.remove(deb);
  }
  const missing = [...pending].filter((file) => file.atLeast === undefined);
  if (missing.length > 0) {
    const names = packages.map((one) => one.name).join(", ");
    throw new Error(`no file like ${missing.map((f) => f.match.source).join(", ")} in ${names}`);
  }
  const place = join(folder, row.id);
  await Deno.remove(place, { recursive: true }).catch(() => {});
  await Deno.rename(fresh, place);
  return { images: found, fetched };
}

/** Puts rows into the manifest in place of what it had of them; whole or not at all. */
async function record(folder: string, row: Wanted, fresh: readonly FetchedImage[]): Promise<void> {
  const ids = new Set(row.files.map((file) => idOf(row, file)));
  const order = wanted.flatMap((one) => one.files.map((file) => idOf(one, file)));
  const kept = images(folder).filter((one) => !ids.has(one.id))
    .map((one) => ({ ...one, path: relative(folder, one.path) }));
  const manifest: Manifest = {
    schema: 1,
    images: [...kept, ...fresh].sort((a, b) => order.indexOf(a.id) - order.indexOf(b.id)),
  };
  const path = join(folder, "manifest.json");
  await Deno.writeTextFile(`${path}.new`, JSON.stringify(manifest, null, 2) + "\n");
  await Deno.rename(`${path}.new`, path);
}

const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

function printTable(folder: string): void {
  const have = new Map(images(folder).map((one) => [one.id, one]));
  for (const row of wanted) {
    for (const file of row.files) {
      const id = idOf(row, file);
      const one = have.get(id);
      if (one === undefined && file.atLeast !== undefined) continue;
      console.log(
        one === undefined
          ? `${id.padEnd(34)} missing                 ${row.suite} ${row.package}`
          : `${id.padEnd(34)} ${String(one.size).padStart(9)}  ${one.sha256.slice(0, 12)}  ` +
            `${one.suite} ${one.package} ${one.version}`,
      );
    }
  }
}

/** A line for the log, said at once however many rows are under way. */
function say(line: string): void {
  console.log(line);
}

async function isThere(tool: string): Promise<boolean> {
  try {
    return (await new Deno.Command(tool, { args: ["--version"] }).output()).success;
  } catch {
    return false;
  }
}

async function fetchAll(options: Options, folder: string): Promise<void> {
  const have = options.refresh ? [] : images(folder);
  const asked = wanted.filter((one) => options.only.test(one.id));
  if (asked.length === 0) return say("nothing fetched: no row has such an id");
  const rows: Wanted[] = [];
  for (const row of asked) {
    if (!await isWhole(row, have)) rows.push(row);
  }
  if (rows.length === 0) return say("all there, and as the manifest says");
  for (const tool of ["apt-get", "apt-cache", "dpkg-deb"]) {
    if (!await isThere(tool)) {
      return say(`nothing fetched: needs ${tool}, which this machine has not`);
    }
  }
  const mirrors = await machineMirrors();
  if (mirrors.main === undefined) {
    return say("nothing fetched: apt's sources on this machine name no Debian mirror");
  }
  await fetchRows(rows, mirrors, folder);
}

async function fetchRows(rows: readonly Wanted[], mirrors: Mirrors, folder: string): Promise<void> {
  const started = performance.now();
  const apts = new Map<string, Promise<Apt>>();
  const aptFor = ({ suite, architecture }: Wanted): Promise<Apt> => {
    const name = `${suite}-${architecture}`;
    let opened = apts.get(name);
    if (opened === undefined) {
      opened = Apt.open(join(folder, ".work", `apt-${name}`), suite, architecture, mirrors)
        .then(({ apt, trouble }) => {
          if (trouble !== undefined) say(`${name}: lists incomplete: ${trouble}`);
          return apt;
        });
      apts.set(name, opened);
    }
    return opened;
  };
  let total = 0;
  let writing = Promise.resolve();
  const queue = [...rows];
  const worker = async () => {
    for (let row = queue.shift(); row !== undefined; row = queue.shift()) {
      const one = row;
      try {
        const { images: fresh, fetched, older } = await fetchRow(await aptFor(one), one, folder);
        total += fetched;
        writing = writing.then(() => record(folder, one, fresh));
        await writing;
        if (older !== undefined) say(`${one.id}: ${older}`);
        const first = fresh[0];
        say(
          `${one.id}: ${first?.package} ${first?.version} (${one.suite}), ${mib(fetched)} fetched`,
        );
      } catch (error) {
        say(`${one.id}: not fetched: ${message(error)}`);
      }
    }
  };
  await Promise.all([worker(), worker(), worker()]);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  say(`${mib(total)} of packages fetched in ${seconds} s`);
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(usage);
    return 0;
  }
  const options = parseArguments(args);
  if (typeof options === "string") {
    console.error(`images: ${options}\n\n${usage}`);
    return 2;
  }
  const folder = imagesFolder();
  if (!options.list) {
    await Deno.mkdir(folder, { recursive: true });
    const lock = await Deno.open(join(folder, ".lock"), { create: true, write: true });
    await lock.lock(true);
    try {
      await fetchAll(options, folder);
      for (const made of makeShells(folder)) say(`made ${relative(folder, made)}`);
    } finally {
      await Deno.remove(join(folder, ".work"), { recursive: true }).catch(() => {});
      lock.close();
    }
  }
  printTable(folder);
  const all = images(folder);
  const size = all.reduce((sum, one) => sum + one.size, 0);
  console.log(`${all.length} files, ${mib(size)}`);
  return all.length > 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
