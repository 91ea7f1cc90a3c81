/**
 * Where a command's words go: standard output, standard error, and what is
 * known of the terminal behind them.
 *
 * Commands are given a {@link Terminal} and know nothing else, so a test runs
 * them against one in memory. Writing is synchronous and complete: when `out`
 * returns, the text is written or in a buffer that `flush` empties.
 *
 * @module
 */

/** The three answers to "colour?". */
export type ColorChoice = "auto" | "always" | "never";

/** What the options say about output. */
export interface OutputChoice {
  /** `--color`; it wins over the terminal and NO_COLOR. */
  readonly color?: ColorChoice | undefined;
  /** `--quiet`: no progress, no remarks. */
  readonly quiet?: boolean | undefined;
}

/** Standard output and standard error, and what stands behind them. */
export interface Terminal {
  /** Whether standard output is a terminal. */
  readonly outIsTerminal: boolean;
  /** Whether standard error is a terminal. */
  readonly errIsTerminal: boolean;
  /** Cells in a line; 80 where there is no terminal to ask. */
  readonly columns: number;
  /** Whether standard output takes colour. */
  readonly colour: boolean;
  /** Whether standard error takes colour. */
  readonly errColour: boolean;
  /** Whether progress and remarks are unwanted. */
  readonly quiet: boolean;
  /** Takes over what the options say. */
  configure(choice: OutputChoice): void;
  /** Writes a result to standard output. */
  out(text: string): void;
  /** Writes a result of bytes to standard output. */
  outBytes(bytes: Uint8Array): void;
  /** Writes a remark or an error to standard error. */
  err(text: string): void;
  /**
   * Shows one passing line on standard error, in place of the last one; the
   * empty string takes it away, and so does whatever is written next. Does
   * nothing where standard error is no terminal, or when quiet.
   */
  status(line: string): void;
  /** Writes out what is still in the buffer. */
  flush(): void;
}

const enough = 1 << 16;
const utf8 = new TextEncoder();

/** What the two kinds of terminal have in common: colour rules, buffer, passing line. */
abstract class Streams implements Terminal {
  abstract readonly outIsTerminal: boolean;
  abstract readonly errIsTerminal: boolean;
  abstract readonly columns: number;
  protected abstract readonly noColor: boolean;
  protected abstract write(stream: "out" | "err", bytes: Uint8Array): void;

  #color: ColorChoice = "auto";
  #quiet = false;
  #status = "";
  #pending: string[] = [];
  #size = 0;

  get quiet(): boolean {
    return this.#quiet;
  }

  get colour(): boolean {
    return this.#wantsColour(this.outIsTerminal);
  }

  get errColour(): boolean {
    return this.#wantsColour(this.errIsTerminal);
  }

  #wantsColour(isTerminal: boolean): boolean {
    if (this.#color !== "auto") return this.#color === "always";
    return isTerminal && !this.noColor;
  }

  configure(choice: OutputChoice): void {
    this.#color = choice.color ?? this.#color;
    this.#quiet = choice.quiet ?? this.#quiet;
  }

  out(text: string): void {
    this.status("");
    this.#pending.push(text);
    this.#size += text.length;
    if (this.outIsTerminal || this.#size >= enough) this.flush();
  }

  outBytes(bytes: Uint8Array): void {
    this.status("");
    this.flush();
    this.write("out", bytes);
  }

  err(text: string): void {
    this.status("");
    this.flush();
    this.write("err", utf8.encode(text));
  }

  status(line: string): void {
    if (line === this.#status || !this.errIsTerminal || (this.#quiet && line !== "")) return;
    this.flush();
    this.#status = line;
    // Back to the first cell, the line, and nothing behind it.
    this.write("err", utf8.encode(`\r${line}\x1b[K`));
  }

  flush(): void {
    if (this.#size === 0) return;
    const text = this.#pending.join("");
    this.#pending = [];
    this.#size = 0;
    this.write("out", utf8.encode(text));
  }
}

/**
 * The process's own streams. Needs no permission: NO_COLOR and the terminal's
 * size are known to the runtime.
 *
 * Writing to a closed pipe throws `Deno.errors.BrokenPipe`, which `runProgram`
 * takes for the end.
 */
export class DenoTerminal extends Streams {
  /** Whether standard output is a terminal. */
  readonly outIsTerminal: boolean = Deno.stdout.isTerminal();
  /** Whether standard error is a terminal. */
  readonly errIsTerminal: boolean = Deno.stderr.isTerminal();
  /** Whether NO_COLOR is set. */
  protected readonly noColor: boolean = Deno.noColor;

  /** Cells in a line, asked each time, since windows are resized. */
  get columns(): number {
    if (!this.outIsTerminal && !this.errIsTerminal) return 80;
    try {
      return Deno.consoleSize().columns || 80;
    } catch {
      return 80;
    }
  }

  /** Writes all of the bytes. */
  protected write(stream: "out" | "err", bytes: Uint8Array): void {
    const sink = stream === "out" ? Deno.stdout : Deno.stderr;
    for (let done = 0; done < bytes.length;) {
      try {
        done += sink.writeSync(bytes.subarray(done));
      } catch (error) {
        // Somebody else made the pipe non-blocking, and it is full: wait for its reader.
        if (!(error instanceof Deno.errors.WouldBlock)) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      }
    }
  }
}

/** What a {@link MemoryTerminal} is to be like. */
export interface MemoryTerminalOptions {
  /** Cells in a line; default 80. */
  readonly columns?: number;
  /** Whether both streams are a terminal; default no. */
  readonly isTerminal?: boolean;
  /** Whether standard output alone is redirected; default as `isTerminal`. */
  readonly outIsTerminal?: boolean;
  /** Whether NO_COLOR is set; default no. */
  readonly noColor?: boolean;
}

/** A terminal for tests: keeps what is written. */
export class MemoryTerminal extends Streams {
  /** Whether standard output is a terminal. */
  readonly outIsTerminal: boolean;
  /** Whether standard error is a terminal. */
  readonly errIsTerminal: boolean;
  /** Cells in a line. */
  readonly columns: number;
  /** Whether NO_COLOR is set. */
  protected readonly noColor: boolean;
  readonly #written: { readonly stream: "out" | "err"; readonly bytes: Uint8Array }[] = [];

  /** A terminal as the options describe it. */
  constructor(options: MemoryTerminalOptions = {}) {
    super();
    this.errIsTerminal = options.isTerminal ?? false;
    this.outIsTerminal = options.outIsTerminal ?? this.errIsTerminal;
    this.columns = options.columns ?? 80;
    this.noColor = options.noColor ?? false;
  }

  /** Writes all of the bytes. */
  protected write(stream: "out" | "err", bytes: Uint8Array): void {
    this.#written.push({ stream, bytes: bytes.slice() });
  }

  /** All text on standard output so far. */
  get stdout(): string {
    return new TextDecoder().decode(this.bytes());
  }

  /** All text on standard error so far. */
  get stderr(): string {
    return new TextDecoder().decode(this.bytes("err"));
  }

  /** Both streams in the order of writing, as a screen would get them. */
  get screen(): string {
    return new TextDecoder().decode(this.bytes("out", "err"));
  }

  /** All bytes on the streams so far; default standard output. */
  bytes(...streams: readonly ("out" | "err")[]): Uint8Array {
    this.flush();
    const wanted = streams.length > 0 ? streams : ["out"];
    const chunks = this.#written.filter((w) => wanted.includes(w.stream)).map((w) => w.bytes);
    const all = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
    let at = 0;
    for (const chunk of chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }
}
