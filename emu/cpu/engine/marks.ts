/**
 * Marks: linear addresses at which somebody is told that execution has come
 * there, before the instruction is executed.
 *
 * Code is cached by physical address, marks are linear. So a mark is put on a
 * physical address when code of its page is looked up through the page tables,
 * which happens before any code there can be executed; see {@link CodeCache.mark}.
 * Without marks nothing is slower; with them, only what is marked.
 *
 * @module
 */

/** What marks need of the cache of decoded code. */
export interface MarkedCode {
  /** Marks a physical address. */
  mark(physical: number): void;
  /** Takes that off. */
  unmark(physical: number): void;
}

/** Who is told, at an address. */
interface Mark {
  readonly told: (() => void)[];
  /** Physical addresses that were marked for it. */
  readonly physical: Set<number>;
}

/** A page with marks. */
interface MarkedPage {
  /** Linear addresses. */
  readonly marked: number[];
  /** The physical page on which they have all been put last. */
  at: number;
}

const pageOf = (linear: number) => Math.floor(linear / 4096);

/** The marks of a processor. */
export class Marks {
  readonly #code: () => MarkedCode;
  readonly #marks = new Map<number, Mark>();
  /** Marked addresses, by the page they are in. */
  readonly #pages = new Map<number, MarkedPage>();
  /** The last arrival that was told of: where, and how many instructions had retired. */
  #toldAt = NaN;
  #toldThen = NaN;
  /** Called when marks are added: what leads past page tables is to be forgotten. */
  onAdd: (() => void) | undefined;

  /** None yet. */
  constructor(code: () => MarkedCode) {
    this.#code = code;
  }

  /** How many addresses are marked. */
  get size(): number {
    return this.#marks.size;
  }

  /**
   * Marks an address.
   *
   * @param linear As the processor has it: signed in 64-bit mode.
   * @param told Called each time that the instruction there is about to be executed.
   * @returns Takes the mark off.
   */
  add(linear: number, told: () => void): () => void {
    const mark = this.#marks.get(linear) ?? { told: [], physical: new Set() };
    if (mark.told.length === 0) {
      this.#marks.set(linear, mark);
      const page = this.#pages.get(pageOf(linear)) ?? { marked: [], at: NaN };
      this.#pages.set(pageOf(linear), page);
      page.marked.push(linear);
      page.at = NaN;
      this.onAdd?.();
    }
    mark.told.push(told);
    return () => {
      const n = mark.told.indexOf(told);
      if (n < 0) return;
      mark.told.splice(n, 1);
      if (mark.told.length === 0) this.#remove(linear, mark);
    };
  }

  /** Code at an address was found at a physical one: marks of the page are put there. */
  found(linear: number, physical: number): void {
    const page = this.#pages.get(pageOf(linear));
    if (page === undefined || page.at === pageOf(physical)) return;
    page.at = pageOf(physical);
    for (const marked of page.marked) {
      const mark = this.#marks.get(marked);
      const at = physical - linear + marked;
      if (mark === undefined || mark.physical.has(at)) continue;
      mark.physical.add(at);
      this.#code().mark(at);
    }
  }

  /**
   * Execution has come to a marked physical address.
   *
   * @param retired Instructions retired so far: with none between, it is told once.
   */
  arrive(linear: number, retired: number): void {
    if (linear === this.#toldAt && retired === this.#toldThen) return;
    this.#toldAt = linear;
    this.#toldThen = retired;
    // Who is told may take marks off.
    for (const told of [...this.#marks.get(linear)?.told ?? []]) told();
  }

  #remove(linear: number, mark: Mark): void {
    this.#marks.delete(linear);
    const page = this.#pages.get(pageOf(linear));
    if (page !== undefined) {
      page.marked.splice(page.marked.indexOf(linear), 1);
      if (page.marked.length === 0) this.#pages.delete(pageOf(linear));
    }
    const others = new Set([...this.#marks.values()].flatMap(({ physical }) => [...physical]));
    for (const physical of mark.physical) {
      if (!others.has(physical)) this.#code().unmark(physical);
    }
  }
}
