/**
 * The keys of a US keyboard: which codes they send, and how a text is typed.
 *
 * A key has two numbers: one of set 2, which the keyboard sends, and one of set 1,
 * which the controller makes of it and software sees. Keys that came with the
 * larger keyboards share both with an older one, behind the prefix e0.
 *
 * Source: IBM PS/2 Hardware Interface Technical Reference (1991), "Keyboards (101-
 * and 102-Key)".
 *
 * @module
 */

/** One key. */
export interface Key {
  /** Its code in set 1 when pressed; released, bit 7 is set. */
  readonly set1: number;
  /** Its code in set 2 when pressed; released, f0 goes before. */
  readonly set2: number;
  /** e0 goes before both. */
  readonly isExtended: boolean;
}

/** Codes of sets 1 and 2 by name; a `+` before the name stands for the prefix. */
const named = "Escape 01 76,Backspace 0e 66,Tab 0f 0d,Enter 1c 5a,Control 1d 14,Shift 2a 12," +
  "RightShift 36 59,KeypadMultiply 37 7c,Alt 38 11,CapsLock 3a 58,F1 3b 05,F2 3c 06,F3 3d 04," +
  "F4 3e 0c,F5 3f 03,F6 40 0b,F7 41 83,F8 42 0a,F9 43 01,F10 44 09,NumLock 45 77," +
  "ScrollLock 46 7e,Keypad7 47 6c,Keypad8 48 75,Keypad9 49 7d,KeypadMinus 4a 7b,Keypad4 4b 6b," +
  "Keypad5 4c 73,Keypad6 4d 74,KeypadPlus 4e 79,Keypad1 4f 69,Keypad2 50 72,Keypad3 51 7a," +
  "Keypad0 52 70,KeypadDot 53 71,F11 57 78,F12 58 07,+KeypadEnter 1c 5a,+RightControl 1d 14," +
  "+KeypadDivide 35 4a,+RightAlt 38 11,+Home 47 6c,+Up 48 75,+PageUp 49 7d,+Left 4b 6b," +
  "+Right 4d 74,+End 4f 69,+Down 50 72,+PageDown 51 7a,+Insert 52 70,+Delete 53 71";

/** Set 1's first code of each row of keys, and what the keys print, alone and with Shift. */
const rows = [
  [0x02, "1234567890-=", "!@#$%^&*()_+"],
  [0x10, "qwertyuiop[]", "QWERTYUIOP{}"],
  [0x1e, "asdfghjkl;'`", 'ASDFGHJKL:"~'],
  [0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?"],
  [0x39, " ", " "],
] as const;

/** The same keys' codes in set 2, in the same order. */
const rowCodes = "16 1e 26 25 2e 36 3d 3e 46 45 4e 55 15 1d 24 2d 2c 35 3c 43 44 4d 54 5b " +
  "1c 1b 23 2b 34 33 3b 42 4b 4c 52 0e 5d 1a 22 21 2a 32 31 3a 41 49 4a 29";

/** A key's name: what it prints without Shift, or `Enter`, `F1`, `Up`, `Keypad5`, ... */
export type KeyName = string;

/** All keys by name. */
export function keys(): ReadonlyMap<KeyName, Key> {
  const all = new Map<KeyName, Key>();
  for (const entry of named.split(",")) {
    const [name = "", set1 = "", set2 = ""] = entry.split(" ");
    const isExtended = name.startsWith("+");
    all.set(isExtended ? name.slice(1) : name, {
      set1: Number.parseInt(set1, 16),
      set2: Number.parseInt(set2, 16),
      isExtended,
    });
  }
  const codes = rowCodes.split(" ").map((code) => Number.parseInt(code, 16));
  for (const [first, plain] of rows) {
    [...plain].forEach((name, i) =>
      all.set(name, { set1: first + i, set2: codes.shift() ?? 0, isExtended: false })
    );
  }
  return all;
}

/** What a key of set 1 prints on a US keyboard: alone and with Shift; undefined for others. */
export function printed(set1: number): readonly [plain: string, shifted: string] | undefined {
  for (const [first, plain, shifted] of rows) {
    const [a, b] = [plain[set1 - first], shifted[set1 - first]];
    if (a !== undefined && b !== undefined) return [a, b];
  }
  return undefined;
}

/**
 * Presses keys one after the other, then releases them in reverse: `chord("Control", "c")`.
 *
 * @returns Codes of set 2, for {@link "../dev/i8042.ts".I8042.type}.
 * @throws {RangeError} If there is no such key.
 */
export function chord(...names: readonly KeyName[]): Uint8Array {
  const all = keys();
  const pressed = names.map((name) => {
    const key = all.get(name);
    if (key === undefined) throw new RangeError(`no key is called ${JSON.stringify(name)}`);
    return key;
  });
  const prefix = ({ isExtended }: Key) => isExtended ? [0xe0] : [];
  return Uint8Array.from([
    ...pressed.flatMap((key) => [...prefix(key), key.set2]),
    ...pressed.toReversed().flatMap((key) => [...prefix(key), 0xf0, key.set2]),
  ]);
}

/**
 * The keystrokes that type a text; a line feed is Enter, a tab Tab.
 *
 * @returns One chord a character, since a keyboard remembers only so many codes.
 * @throws {RangeError} If a US keyboard has no such character.
 */
export function keystrokes(text: string): Uint8Array[] {
  const others: Readonly<Record<string, KeyName>> = {
    ...{ "\n": "Enter", "\r": "Enter", "\t": "Tab", "\x1b": "Escape" },
    ...{ "\b": "Backspace", "\x7f": "Backspace" },
  };
  return [...text].map((character) => {
    const other = others[character];
    if (other !== undefined) return chord(other);
    for (const [, plain, shifted] of rows) {
      if (plain.includes(character)) return chord(character);
      const key = plain[shifted.indexOf(character)];
      if (key !== undefined) return chord("Shift", key);
    }
    throw new RangeError(`no key types ${JSON.stringify(character)}`);
  });
}
