/**
 * The guest's console as text: what came last, and whether what one waits for
 * has come.
 *
 * @module
 */

/** Characters in which a wanted text is looked for; longer ones are not found. */
const WINDOW = 8192;
/** Lines kept for reports. */
const LINES = 200;
/** Longest line that is kept whole. */
const LONGEST = 4096;

/** A guest's serial output, read along. */
export class GuestConsole {
  readonly #decoder = new TextDecoder();
  readonly #lines: string[] = [];
  #line = "";
  #window = "";
  #bytes = 0;
  #until: RegExp | undefined;
  #match: string | undefined;
  #panic: string | undefined;
  #panicEnded = false;
  /** Called when what was waited for has come, and when a panic is over. */
  onEvent: (() => void) | undefined;

  /** Called when the kernel says that it panics. */
  onPanic: (() => void) | undefined;

  /** Called with each line when it is finished. */
  onLine: ((line: string) => void) | undefined;

  /** Bytes so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The text that was waited for, once it has come. */
  get match(): string | undefined {
    return this.#match;
  }

  /** What the kernel said when it panicked. */
  get panic(): string | undefined {
    return this.#panic;
  }

  /** Whether the kernel has said all there is to say about its panic. */
  get isPanicOver(): boolean {
    return this.#panicEnded;
  }

  /** The last lines, the unfinished one included. */
  tail(count = LINES): readonly string[] {
    const all = this.#line === "" ? this.#lines : [...this.#lines, this.#line];
    return all.slice(-count);
  }

  /** Waits for a text, in what comes from now on or came behind the last one that was found. */
  waitFor(pattern: RegExp | undefined): void {
    if (this.#match === undefined) this.#window = "";
    // A pattern with memory would skip what it found before.
    this.#until = pattern && new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ""));
    this.#match = undefined;
    this.#search();
  }

  /** Takes what the serial port sent. */
  take(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    const text = this.#decoder.decode(bytes, { stream: true }).replaceAll("\r", "");
    if (text === "") return;
    const pieces = text.split("\n");
    for (const [i, piece] of pieces.entries()) {
      this.#line = (this.#line + piece).slice(0, LONGEST);
      // Told by its line, the unfinished one too: who has panicked may not get to its end.
      this.#readLine();
      if (i + 1 === pieces.length) break;
      this.onLine?.(this.#line);
      this.#lines.push(this.#line);
      if (this.#lines.length > LINES) this.#lines.shift();
      this.#line = "";
    }
    if (this.#until === undefined) return;
    this.#window = (this.#window + text).slice(-WINDOW);
    if (this.#match === undefined && this.#search()) this.onEvent?.();
  }

  /** Looks for the text; what is left in the window is what came behind it. */
  #search(): boolean {
    const found = this.#until?.exec(this.#window);
    if (!found) return false;
    this.#match = found[0];
    this.#window = this.#window.slice(found.index + found[0].length);
    return true;
  }

  #readLine(): void {
    const panic = /Kernel panic - not syncing: (.*)/.exec(this.#line);
    if (panic === null) return;
    if (/end Kernel panic/.test(this.#line)) {
      if (this.#panicEnded) return;
      this.#panicEnded = true;
      this.onEvent?.();
    } else {
      this.#panic = panic[1] ?? "";
      this.onPanic?.();
    }
  }
}
