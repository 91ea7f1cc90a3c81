/**
 * A private apt: the machine's own mirrors and keys, but lists, cache and state
 * of our own, for one release and one architecture at a time. Nothing on the
 * machine changes, and a release that cannot be had fails alone.
 *
 * @module
 */

/** A mirror as the machine's sources name it. */
export interface Mirror {
  /** Where it is; never shown. */
  readonly uri: string;
  /** Options in the brackets of a one-line source, architectures left out. */
  readonly options: readonly string[];
}

/** The two archives Debian is spread over. */
export interface Mirrors {
  /** Releases. */
  readonly main?: Mirror;
  /** Security updates of releases. */
  readonly security?: Mirror;
}

const releases =
  /^(buster|bullseye|bookworm|trixie|forky|duke|sid|oldoldstable|oldstable|stable|testing|unstable)(-updates|-backports)?\/?$/;
const updates = /-security\/?$|\/updates\/?$/;

interface Source {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly options: readonly string[];
}

/** Sources in the one-line form: `deb [options] uri suite component…`. */
export function oneLineSources(content: string): Source[] {
  const sources: Source[] = [];
  for (const line of content.split("\n")) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)/.exec(line);
    if (match === null) continue;
    const [, options = "", uri = "", suite = ""] = match;
    sources.push({
      uris: [uri],
      suites: [suite],
      options: options.trim().split(/\s+/).filter((o) => o !== "" && !/^(arch|signed-by)/i.test(o)),
    });
  }
  return sources;
}

/** Sources in the deb822 form: paragraphs of `Types`, `URIs`, `Suites`. */
export function deb822Sources(content: string): Source[] {
  const sources: Source[] = [];
  const lines = content.split("\n").filter((line) => !line.startsWith("#")).join("\n");
  for (const paragraph of lines.split(/\n\s*\n/)) {
    const fields = new Map<string, string>();
    for (
      const [, name = "", value = ""] of paragraph.matchAll(/^([\w-]+):((?:.*)(?:\n[ \t].*)*)/gm)
    ) {
      fields.set(name.toLowerCase(), value.trim());
    }
    const words = (name: string) => (fields.get(name) ?? "").split(/\s+/).filter((w) => w !== "");
    if (!words("types").includes("deb") || /^(no|false|0)$/i.test(fields.get("enabled") ?? "")) {
      continue;
    }
    const trusted = fields.get("trusted");
    sources.push({
      uris: words("uris"),
      suites: words("suites"),
      options: trusted === undefined ? [] : [`trusted=${trusted}`],
    });
  }
  return sources;
}

/** Picks Debian's two archives out of sources, by the releases they are asked for. */
export function mirrorsOf(sources: readonly Source[]): Mirrors {
  const pick = (suites: RegExp): Mirror | undefined => {
    for (const source of sources) {
      const uri = source.uris.find((u) => !u.startsWith("cdrom:"));
      if (uri !== undefined && source.suites.some((s) => suites.test(s))) {
        return { uri, options: source.options };
      }
    }
    return undefined;
  };
  const main = pick(releases);
  const security = pick(updates);
  return { ...(main ? { main } : {}), ...(security ? { security } : {}) };
}

/** The mirrors the machine is set up with. */
export async function machineMirrors(etc = "/etc/apt"): Promise<Mirrors> {
  const sources = oneLineSources(await readIfThere(`${etc}/sources.list`));
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(`${etc}/sources.list.d`)) names.push(entry.name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  for (const name of names.sort()) {
    const content = await readIfThere(`${etc}/sources.list.d/${name}`);
    if (name.endsWith(".list")) sources.push(...oneLineSources(content));
    if (name.endsWith(".sources")) sources.push(...deb822Sources(content));
  }
  return mirrorsOf(sources);
}

/** Host names in the mirrors' addresses. */
function hostsOf({ main, security }: Mirrors): string[] {
  return [main, security].flatMap((mirror) =>
    /:\/\/(?:[^@/]*@)?([^/:]+)/.exec(mirror?.uri ?? "")?.[1] ?? []
  );
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/** A package file that can be had. */
export interface Package {
  /** Its name. */
  readonly name: string;
  /** Its version. */
  readonly version: string;
  /** Names of the packages it depends on, with the version where it is exact. */
  readonly depends: readonly { readonly name: string; readonly version?: string }[];
  /** SHA-256 of the package file, from the signed index. */
  readonly sha256: string;
  /** Size of the package file in bytes. */
  readonly size: number;
}

/** The stanzas `apt-cache show` prints, newest first as apt orders them. */
export function parsePackages(content: string): Package[] {
  return content.split(/\n\n+/).filter((s) => s.trim() !== "").map((stanza) => {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(stanza)?.[1] ?? "";
    const depends = field("Depends").split(/[,|]/).flatMap((item) => {
      const match = /^\s*([a-z0-9][a-z0-9.+-]*)(?::\w+)?\s*(?:\(= ([^)]+)\))?/.exec(item);
      const [, name, version] = match ?? [];
      return name === undefined ? [] : [version === undefined ? { name } : { name, version }];
    });
    return {
      name: field("Package"),
      version: field("Version"),
      depends,
      sha256: field("SHA256"),
      size: Number(field("Size")),
    };
  });
}

/** What a command printed, and whether it went well. */
interface Ran {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(command: string, args: readonly string[], cwd?: string): Promise<Ran> {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    ...(cwd === undefined ? {} : { cwd }),
    env: { LC_ALL: "C.UTF-8", DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder();
  return { ok: success, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** One release on one architecture. */
export class Apt {
  readonly #options: readonly string[];
  readonly #root: string;
  readonly #hosts: readonly string[];

  private constructor(root: string, options: readonly string[], hosts: readonly string[]) {
    this.#root = root;
    this.#options = options;
    this.#hosts = hosts;
  }

  /**
   * Sets up below `root` and fetches the lists.
   *
   * @returns The private apt and what went wrong on the way; with some lists
   *   missing it serves what the others have.
   * @throws {Error} If no list at all can be had.
   */
  static async open(
    root: string,
    suite: string,
    architecture: string,
    mirrors: Mirrors,
  ): Promise<{ apt: Apt; trouble?: string }> {
    const { main, security } = mirrors;
    if (main === undefined) throw new Error("apt's sources name no Debian mirror");
    for (const folder of ["lists/partial", "cache/archives/partial", "etc", "debs"]) {
      await Deno.mkdir(`${root}/${folder}`, { recursive: true });
    }
    const hasKeyring = await Deno.stat(keyring).then(() => true, () => false);
    const line = (mirror: Mirror, name: string) => {
      const options = [...mirror.options, ...(hasKeyring ? [`signed-by=${keyring}`] : [])];
      const bracket = options.length > 0 ? `[${options.join(" ")}] ` : "";
      return `deb ${bracket}${mirror.uri} ${name} main`;
    };
    const lines = [line(main, suite)];
    if (security !== undefined && suite !== "sid") lines.push(line(security, `${suite}-security`));
    await Deno.writeTextFile(`${root}/sources.list`, lines.join("\n") + "\n");
    await Deno.writeTextFile(`${root}/status`, "");
    const settings: Readonly<Record<string, string>> = {
      "Dir::State": `${root}/`,
      "Dir::State::lists": `${root}/lists/`,
      "Dir::State::status": `${root}/status`,
      "Dir::Cache": `${root}/cache/`,
      "Dir::Cache::pkgcache": "pkgcache.bin",
      "Dir::Cache::srcpkgcache": "srcpkgcache.bin",
      "Dir::Etc::sourcelist": `${root}/sources.list`,
      "Dir::Etc::sourceparts": "-",
      "Dir::Etc::preferences": "-",
      "Dir::Etc::preferencesparts": "-",
      "APT::Architecture": architecture,
      "APT::Architectures::": architecture,
      "APT::Sandbox::User": "root",
      "Acquire::Languages": "none",
      "Acquire::Retries": "2",
      "Acquire::http::Timeout": "30",
      "Acquire::https::Timeout": "30",
    };
    // What the machine's own files add to a list (architectures, hooks, extra
    // indexes) is cleared first, else it would stay.
    await Deno.writeTextFile(
      `${root}/clear.conf`,
      "#clear APT::Architectures;\n#clear APT::Update::Post-Invoke;\n" +
        "#clear APT::Update::Post-Invoke-Success;\n",
    );
    const apt = new Apt(root, [
      "-c",
      `${root}/clear.conf`,
      ...Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
    ], hostsOf(mirrors));
    const update = await run("apt-get", [...apt.#options, "update"]);
    let lists = 0;
    for await (const entry of Deno.readDir(`${root}/lists`)) {
      if (/_Packages(\.\w+)?$/.test(entry.name)) lists++;
    }
    const trouble = reason(update.stderr, apt.#hosts);
    if (lists === 0) throw new Error(trouble || "no package lists");
    return update.ok && trouble === "" ? { apt } : { apt, trouble };
  }

  /** All versions of a package, newest first; none if the release has no such package. */
  async packages(name: string): Promise<readonly Package[]> {
    const { ok, stdout } = await run("apt-cache", [...this.#options, "show", name]);
    return ok ? parsePackages(stdout) : [];
  }

  /**
   * Fetches one package file; apt checks it against the signed index.
   *
   * @returns Its path.
   * @throws {Error} With apt's reason.
   */
  async download({ name, version }: Package): Promise<string> {
    const folder = await Deno.makeTempDir({ dir: `${this.#root}/debs` });
    const ran = await run("apt-get", [...this.#options, "download", `${name}=${version}`], folder);
    for await (const entry of Deno.readDir(folder)) {
      if (ran.ok && entry.name.endsWith(".deb")) return `${folder}/${entry.name}`;
    }
    throw new Error(reason(ran.stderr, this.#hosts) || "apt-get download gave no file");
  }
}

/**
 * The first complaint of apt in one line; where packages come from is left out.
 *
 * @param hosts Names that stand for the mirror.
 */
export function reason(stderr: string, hosts: readonly string[] = []): string {
  const line = stderr.split("\n").find((l) => /^E: /.test(l)) ??
    stderr.split("\n").find((l) => /^(Err|W): /.test(l)) ?? "";
  const plain = line.replace(/^(E|W|Err): /, "")
    .replace(/\b[a-z+]+:\/\/\S*\/(dists|pool)\//g, "$1/")
    .replace(/\b[a-z+]+:\/\/\S+/g, "the mirror")
    .replace(/\[IP: [^\]]*\]/g, "")
    .replace(/\s+/g, " ").trim();
  return hosts.reduce((text, host) => text.replaceAll(host, "the mirror"), plain);
}
