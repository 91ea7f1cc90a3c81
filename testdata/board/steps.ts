/** Reads the scripts of `scripts.ts`. */

/** A step, read. */
export interface Step {
  /** What is done. */
  readonly op: "out" | "in" | "out4" | "in4" | "in2" | "write" | "read" | "wait";
  /** Port, address, or nanoseconds. */
  readonly at: number;
  /** What is written. */
  readonly value: number;
  /** How far an answer may be off. */
  readonly tolerance: number;
  /** The bits that count. */
  readonly mask: number;
  /** The line itself. */
  readonly line: string;
}

/** Reads a script. */
export function stepsOf(script: string): Step[] {
  const lines = script.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  return lines.flatMap(expanded).map((line) => {
    const [op = "", at = "", ...rest] = (line.split(";")[0] ?? "").trim().split(" ");
    const hex = (prefix: string) => {
      const found = rest.find((word) => word.startsWith(prefix));
      return found === undefined ? undefined : Number.parseInt(found.slice(1), 16);
    };
    return {
      op: op as Step["op"],
      at: Number.parseInt(at, op === "wait" ? 10 : 16),
      value: Number.parseInt(rest.find((word) => /^[0-9a-f]+$/.test(word)) ?? "0", 16),
      tolerance: hex("~") ?? 0,
      mask: hex("&") ?? 0xffff_ffff,
      line,
    };
  });
}

/** A line that stands for two. */
function expanded(line: string): string[] {
  const [, op, port = "", index = "", rest = ""] = /^(set|get) (\w+) (\w+)(.*)$/.exec(line) ?? [];
  if (op === undefined) return [line];
  const data = (Number.parseInt(port, 16) + 1).toString(16);
  return [`out ${port} ${index}`, `${op === "set" ? "out" : "in"} ${data}${rest}`];
}
