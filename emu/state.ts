/**
 * What a part of the machine remembers, as plain data.
 *
 * Every part keeps all that decides its future in one record of fixed shape.
 * The record can be copied (a snapshot), put back, and written as bytes, so that
 * two runs can be compared bit for bit. Callbacks, wires and views of memory are
 * no part of it: they belong to the machine that was built.
 *
 * @module
 */

/** Plain data: numbers, flags, lists, byte and word arrays, and records of these. */
export type State =
  | number
  | boolean
  | bigint
  | Uint8Array
  | Uint32Array
  | readonly State[]
  | { readonly [name: string]: State };

/** Something that remembers. */
export interface Stateful {
  /** The live record; its names and their order never change. */
  readonly registers: State;
  /** Called after a snapshot was put back, to work out again what is kept for speed. */
  restored?(): void;
}

/** A snapshot that does not fit the machine it is put into. */
export class StateError extends Error {
  /** Names the error in messages. */
  override name = "StateError";
}

/** A copy that later changes do not reach. */
export function copyState<T extends State>(state: T): T {
  return structuredClone(state);
}

/**
 * Puts a snapshot back into a live record of the same shape.
 *
 * Lists may differ in length, since queues do; arrays and records may not.
 *
 * @param path Name of the record, for the message.
 * @throws {StateError} Where the shapes differ; the record may then be half changed.
 */
export function restoreState(live: State, from: State, path: string): void {
  if (ArrayBuffer.isView(live)) {
    if (!ArrayBuffer.isView(from) || from.length !== live.length) throw misfit(path, live, from);
    live.set(from);
  } else if (Array.isArray(live)) {
    if (!Array.isArray(from)) throw misfit(path, live, from);
    const samples: readonly State[] = [...live];
    live.length = from.length;
    from.forEach((value: State, i) => {
      const sample = samples[i];
      live[i] = sample === undefined ? copyState(value) : merged(sample, value, `${path}[${i}]`);
    });
  } else if (isRecord(live)) {
    if (!isRecord(from)) throw misfit(path, live, from);
    const names = Object.keys(live);
    const given = Object.keys(from);
    if (names.join() !== given.join()) {
      throw new StateError(`${path}: the record is {${names}}, the snapshot {${given}}`);
    }
    for (const name of names) {
      const [sample, value] = [live[name], from[name]];
      if (sample === undefined || value === undefined) continue;
      Object.assign(live, { [name]: merged(sample, value, `${path}.${name}`) });
    }
  } else {
    throw misfit(path, live, from);
  }
}

/**
 * State as bytes: equal states give equal bytes, different ones different bytes.
 *
 * A letter for the kind, then lengths and numbers as little-endian doubles,
 * names as their characters.
 */
export function encodeState(state: State): Uint8Array {
  const out: number[] = [];
  const double = new Uint8Array(8);
  const view = new DataView(double.buffer);
  const number = (value: number) => {
    view.setFloat64(0, value, true);
    for (let i = 0; i < 8; i++) out.push(double[i] ?? 0);
  };
  const kind = (letter: string) => out.push(letter.charCodeAt(0));
  const text = (value: string) => {
    number(value.length);
    for (let i = 0; i < value.length; i++) {
      out.push(value.charCodeAt(i) & 0xff, value.charCodeAt(i) >> 8);
    }
  };
  const write = (value: State): void => {
    if (typeof value === "number") {
      kind("n");
      number(value);
    } else if (typeof value === "boolean") {
      kind(value ? "t" : "f");
    } else if (typeof value === "bigint") {
      kind("b");
      text(value.toString(16));
    } else if (ArrayBuffer.isView(value)) {
      kind(value instanceof Uint8Array ? "1" : "4");
      number(value.length);
      for (const element of value) {
        if (value instanceof Uint8Array) out.push(element);
        else number(element);
      }
    } else if (isList(value)) {
      kind("l");
      number(value.length);
      value.forEach(write);
    } else {
      kind("r");
      number(Object.keys(value).length);
      for (const [name, field] of Object.entries(value)) {
        text(name);
        write(field);
      }
    }
  };
  write(state);
  return Uint8Array.from(out);
}

/** The value to keep: the live container refilled, or the scalar of the snapshot. */
function merged(live: State, from: State, path: string): State {
  if (typeof live === "object") {
    restoreState(live, from, path);
    return live;
  }
  if (typeof live !== typeof from) throw misfit(path, live, from);
  return from;
}

function isList(state: State): state is readonly State[] {
  return Array.isArray(state);
}

function isRecord(state: State): state is { readonly [name: string]: State } {
  return typeof state === "object" && !Array.isArray(state) && !ArrayBuffer.isView(state);
}

function misfit(path: string, live: State, from: State): StateError {
  const kind = (state: State) =>
    ArrayBuffer.isView(state) ? `array of ${state.length}` : isList(state) ? "list" : typeof state;
  return new StateError(`${path}: needed ${kind(live)}, found ${kind(from)}`);
}
