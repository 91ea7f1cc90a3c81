/**
 * A process watched while it talks: when it says what, and what it costs.
 *
 * What it costs by then is asked of the kernel's process table, what it cost in
 * all of GNU time, where there are such: figures that nobody gives are NaN.
 *
 * @module
 */

/** Something to wait for on standard output. */
export interface Mark {
  /** What to call it. */
  readonly name: string;
  /** The text that tells that it has come. */
  readonly text: string;
}

/** When a mark came. */
export interface Moment {
  /** Seconds since the process was started. */
  readonly wall: number;
  /** Processor seconds spent by then, of all threads, in steps of a hundredth. */
  readonly cpu: number;
}

/** How a process went. */
export interface Observation {
  /** The marks that came, by name. */
  readonly marks: Readonly<Record<string, Moment>>;
  /** Its end, with what it cost in all. */
  readonly end: Moment;
  /** Greatest resident size, in bytes. */
  readonly peak: number;
  /** Its exit code. */
  readonly code: number;
  /** What it said on standard output, and the last of what it said on standard error. */
  readonly said: string;
}

/** GNU time, and what it is to write as its last line. */
const time = ["/usr/bin/time", "-q", "-f", "%U %S %M"];
/** Processor time is counted in these, on every Linux for x86. */
const TICKS = 100;

/** What a command prints; undefined where it fails or is not installed. */
export async function outputOf(program: string, ...args: string[]): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(program, {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout) : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/**
 * Runs a command and watches it.
 *
 * @param words Program and arguments.
 * @param marks What to look for, in the order in which it comes.
 * @param limit Seconds after which it is killed.
 */
export async function observe(
  words: readonly string[],
  marks: readonly Mark[],
  limit: number,
): Promise<Observation> {
  const isCounted = await outputOf(time[0] ?? "", "true") !== undefined;
  const [program = "", ...args] = isCounted ? [...time, ...words] : words;
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  const child = new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const processId = () => isCounted ? childOf(child.pid) : Promise.resolve(child.pid);
  const timer = setTimeout(async () => kill(await processId() ?? child.pid), limit * 1000);
  const complaints = new Response(child.stderr).text();
  const moments: (readonly [string, number, Promise<number>])[] = [];
  let said = "";
  let seen = 0;
  for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
    said += piece;
    for (let mark = marks[moments.length]; mark; mark = marks[moments.length]) {
      const found = said.indexOf(mark.text, seen);
      if (found < 0) break;
      seen = found + mark.text.length;
      moments.push([mark.name, seconds(), processId().then(spent)]);
    }
  }
  const { code } = await child.status;
  const wall = seconds();
  clearTimeout(timer);
  const lines = (await complaints).trimEnd().split("\n");
  const [user = NaN, system = NaN, peak = NaN] = isCounted
    ? (lines.pop() ?? "").split(" ").map(Number)
    : [];
  return {
    marks: Object.fromEntries(
      await Promise.all(
        moments.map(async ([name, wall, cpu]) => [name, { wall, cpu: await cpu }] as const),
      ),
    ),
    end: { wall, cpu: user + system },
    peak: peak * 1024,
    code,
    said: `${said}${lines.slice(-5).join("\n")}`,
  };
}

/** The only child of a process. */
async function childOf(parent: number): Promise<number | undefined> {
  const [child] = (await proc(`${parent}/task/${parent}/children`)).trim().split(" ");
  return child ? Number(child) : undefined;
}

/** Processor seconds of a process so far. */
async function spent(id: number | undefined): Promise<number> {
  // The second field is a name in parentheses that may have anything in it.
  const fields = (await proc(`${id}/stat`)).replace(/^.*\) /s, "").split(" ");
  return (Number(fields[11] ?? NaN) + Number(fields[12] ?? NaN)) / TICKS;
}

/** A file of the process table, by way of a program: this one may not read there. */
async function proc(path: string): Promise<string> {
  return await outputOf("cat", `/proc/${path}`) ?? "";
}

function kill(id: number): void {
  try {
    Deno.kill(id, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound || error instanceof TypeError)) throw error;
  }
}
