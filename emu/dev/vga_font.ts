/**
 * A font of our own for code page 437, in 8 by 16, 8 by 14 and 8 by 8 dots.
 *
 * Letters are drawn on a grid of 5 by 9 fields: seven rows down to the base
 * line, two below. A row is a digit of base 32, its highest bit the left
 * field; what is left out is empty. Upright strokes come out two dots wide,
 * level ones one dot high. Letters with accents are put together from their
 * parts; frames, blocks and shades are computed.
 *
 * @module
 */

import { cp437 } from "./cp437.ts";

/** Heights there are. */
export type GlyphHeight = 8 | 14 | 16;

/** Heights of the grid's rows in a cell of 16, for capitals and signs, and for small letters. */
const tall = [1, 2, 2, 1, 2, 2, 1, 2, 1];
const small = [1, 3, 1, 2, 1, 2, 1, 2, 1];

/** Signs, digits and capitals from ! to _, in the order of their codes. */
const signs = "4444404 aaa aavavaa 4fke5u4 op248j3 cik8lid 448 2488842 8422248 04lel4 044v44 " +
  "00000c48 000v 00000cc 11248gg ehjlphe 4c4444e eh168gv eh161he 26aiv22 vgu11he 68guhhe " +
  "v124488 ehhehhe ehhf12c 00cc0cc 00cc0c48 248g842 00v0v 8421248 eh12404 ehnlmgf ehhvhhh " +
  "uhhuhhu ehggghe uhhhhhu vgguggv vgguggg ehgnhhf hhhvhhh e44444e 72222ic hisosih " +
  "ggggggv hrllhhh hplljhh ehhhhhe uhhuggg ehhhlid uhhusih fgge11u v444444 hhhhhhe hhhhha4 " +
  "hhhllrh hha4ahh hha4444 v1248gv e88888e gg84211 e22222e 4ah 00000000v";

/** Small letters and the signs behind them, from ` to ~. */
const letters = "84 00e1fhf gguhhhu 00ehghe 11fhhhf 00ehvge 68s8888 00fhhhf1e gguhhhh 40c444e " +
  "2062222ic ggisosi c44444e 00qllll 00uhhhh 00ehhhe 00uhhhugg 00fhhhf11 00mpggg 00fge1u " +
  "88s8896 00hhhhf 00hhha4 00hhlla 00ha4ah 00hhhhf1e 00v248v 6448446 444444444 c44244c 008l2";

/** Everything else that is drawn, by character. */
const others = "☺ehrhlhe ☻evlvhve ♥0avvve4 ♦04eve4 ♣0eevv4e ♠04evv4e •000ee ○0ehhhe ♂735ehhe " +
  "♀ehhe4e4 ♪04654ss ♫0f999rr ☼0lerel ►gouvuog ◄13fvf31 ↕4el4le4 ‼aaaaa0a ¶flld555 §fgehe1u " +
  "▬0000vv ↨4el4le40v ↑4el4444 ↓4444le4 →042v24 ←048v84 ∟000gggv ↔00ava ▲044eevv ▼vvee44 " +
  "⌂004ahhv ¢04fkkf4 £698s88v ¥hav4v44 ₧siviii9 ƒ688u88g ªe1fhf0v ºehhhe0v ¿4048ghe ⌐000vgg " +
  "¬000v11 ½hikbl27 ¼hik9j71 ¡4044444 «05aka5 »0ka5ak ßehhuhhug Γvgggggg Σvg848gv Φ4ellle4 " +
  "Θehhvhhe Ωehhhaar δ784ehhe ∩0ehhhhh ≡0v0v0v ±44v440v ≥842480v ≤248420v ⌠654444444 " +
  "⌡4444444k8 ÷040v04 ≈09m09m °ciic ∙000cc ·0004 √7444kc4 ⁿsiii ²c248e ■000vvvv Æfkkvkkn";
const otherLetters = "æ00q5fkb α00diiid π00vaaaa σ00fihhe µ00hhhjtgg τ00v4442 ∞00alla φ04elle4 " +
  "ε0078e87 ı00c444e";

/** Accents: the grid's first two rows over a small letter, and the one row over a capital. */
const accents: Readonly<Record<string, readonly [small: string, capital: string]>> = {
  "\u0300": ["84", "c"],
  "\u0301": ["24", "6"],
  "\u0302": ["4a", "e"],
  "\u0303": ["5a", "d"],
  "\u0308": ["a0", "a"],
  "\u030a": ["ea", "e"],
};
/** Heights of a capital's rows under an accent: it has lost one of its seven. */
const underAccent = [2, 1, 2, 2, 1, 2, 1];

/** Frames from code b3 on: how heavy their arms up, down, left and right are. */
const frames = "1100 1110 1120 2210 0210 0120 2220 2200 0220 2020 2010 1020 0110 1001 1011 0111 " +
  "1101 0011 1111 1102 2201 2002 0202 2022 0222 2202 0022 2222 1022 2011 0122 0211 2001 1002 " +
  "0102 0201 2211 1122 1010 0101";

/**
 * The font: rows from the top, bit 7 the left dot, `height` bytes a character.
 */
export function glyphs(height: GlyphHeight = 16): Uint8Array {
  const drawings = drawn();
  const font = new Uint8Array(256 * height);
  for (let code = 0; code < 256; code++) {
    const computed = figure(code, height === 8 ? 8 : 16);
    const drawing = drawings.get(cp437[code] ?? " ");
    const rows = computed ?? (drawing === undefined ? [] : raise(drawing, height));
    // 14 rows are the 16 without the outermost.
    const first = height === 14 ? 1 : 0;
    for (let row = 0; row < height; row++) font[height * code + row] = rows[row + first] ?? 0;
  }
  return font;
}

/** One letter on its grid. */
interface Drawing {
  /** Nine rows of five fields. */
  readonly rows: readonly number[];
  /** Heights of its rows. */
  readonly heights: readonly number[];
}

function drawn(): Map<string, Drawing> {
  const all = new Map<string, Drawing>();
  const add = (character: string, digits: string, heights: readonly number[]) =>
    all.set(character, { rows: [...digits].map((digit) => Number.parseInt(digit, 32)), heights });
  signs.split(" ").forEach((digits, i) => add(String.fromCharCode(0x21 + i), digits, tall));
  letters.split(" ").forEach((digits, i) => add(String.fromCharCode(0x60 + i), digits, small));
  for (const one of others.split(" ")) add(one.slice(0, 1), one.slice(1), tall);
  for (const one of otherLetters.split(" ")) add(one.slice(0, 1), one.slice(1), small);
  for (const character of cp437) {
    const drawing = composed(character, all);
    if (drawing !== undefined) all.set(character, drawing);
  }
  return all;
}

/** A letter with an accent, made of the letter and the accent. */
function composed(character: string, all: ReadonlyMap<string, Drawing>): Drawing | undefined {
  const [letter = "", mark = ""] = character.normalize("NFD");
  const isSmall = letter !== letter.toUpperCase();
  const base = all.get(letter === "i" ? "ı" : letter);
  if (mark === "" || base === undefined) return undefined;
  const rows = [...base.rows];
  if (mark === "\u0327") {
    rows[7] = 4;
    rows[8] = 12;
    return { rows, heights: base.heights };
  }
  const [overSmall = "", overCapital = ""] = accents[mark] ?? [];
  const above = [...(isSmall ? overSmall : overCapital)].map((digit) => Number.parseInt(digit, 32));
  if (isSmall) return { rows: [...above, ...rows.slice(2)], heights: small };
  return { rows: [...above, ...rows.slice(0, 4), ...rows.slice(5)], heights: underAccent };
}

/** A drawing in dots: 8 rows, or 16. */
function raise({ rows, heights }: Drawing, height: GlyphHeight): number[] {
  if (height === 8) {
    const low = rows.slice(0, 7).map(widen);
    while (low.length < 7) low.push(0);
    return [...low, widen((rows[7] ?? 0) | (rows[8] ?? 0))];
  }
  return [0, ...rows.flatMap((row, i) => Array<number>(heights[i] ?? 1).fill(widen(row)))];
}

/**
 * Five fields as seven dots: the outer four fields are two dots wide and overlap, the
 * middle one is one dot, and a second where nothing stands far left of it.
 */
function widen(fields: number): number {
  let dots = 0;
  if ((fields & 16) !== 0) dots |= 0xc0;
  if ((fields & 8) !== 0) dots |= 0x60;
  if ((fields & 4) !== 0) dots |= (fields & 16) !== 0 ? 0x10 : 0x30;
  if ((fields & 2) !== 0) dots |= 0x0c;
  if ((fields & 1) !== 0) dots |= 0x06;
  return dots;
}

/** Frames, blocks, shades and the two inverted signs; undefined for what is drawn. */
function figure(code: number, height: 8 | 16): number[] | undefined {
  const fill = (row: (y: number) => number) => Array.from({ length: height }, (_, y) => row(y));
  const shade = (y: number) => (y & 1) !== 0 ? 0x88 : 0x22;
  if (code >= 0xb3 && code <= 0xda) {
    const [up = 0, down = 0, left = 0, right = 0] = [...frames.slice(5 * (code - 0xb3)).slice(0, 4)]
      .map(Number);
    return frame({ up, down, left, right }, height);
  }
  switch (code) {
    case 0xb0:
      return fill(shade);
    case 0xb1:
      return fill((y) => (y & 1) !== 0 ? 0xaa : 0x55);
    case 0xb2:
      return fill((y) => ~shade(y) & 0xff);
    case 0xdb:
      return fill(() => 0xff);
    case 0xdc:
      return fill((y) => 2 * y >= height ? 0xff : 0);
    case 0xdd:
      return fill(() => 0xf0);
    case 0xde:
      return fill(() => 0x0f);
    case 0xdf:
      return fill((y) => 2 * y < height ? 0xff : 0);
    case 0x08: // the bullet, inverted
    case 0x0a: { // the ring, inverted
      const middle = (height - 1) / 2;
      return fill((y) => {
        const far = Math.abs(y - middle) / height;
        if (code === 0x08) return far < 0.15 ? 0xc3 : 0xff;
        return far < 0.15 ? 0xdb : far < 0.25 ? 0xc3 : 0xff;
      });
    }
    default:
      return undefined;
  }
}

interface Arms {
  readonly up: number;
  readonly down: number;
  readonly left: number;
  readonly right: number;
}

/**
 * A piece of a frame. Each arm is drawn from the edge inwards, a light one as one line,
 * a heavy one as two; where a line ends depends on what it meets.
 */
function frame({ up, down, left, right }: Arms, height: 8 | 16): number[] {
  const rows = Array<number>(height).fill(0);
  // Where lines lie: before the middle, in it, behind it.
  const columns = [[2], [3, 4], [5]] as const;
  const levels = height === 16 ? [5, 7, 9] : [2, 3, 4];
  const vertical = (line: number, from: number, to: number) => {
    for (let y = Math.max(0, from); y <= to && y < height; y++) {
      for (const x of columns[line + 1 as 0] ?? []) rows[y] = (rows[y] ?? 0) | 0x80 >> x;
    }
  };
  const horizontal = (line: number, from: number, to: number) => {
    const y = levels[line + 1] ?? 0;
    for (let x = Math.max(0, from); x <= to && x < 8; x++) rows[y] = (rows[y] ?? 0) | 0x80 >> x;
  };
  const level = (end: number) => levels[end + 1] ?? 0;
  const column = (end: number) => columns[end + 1 as 0];
  for (const [line, end] of ends(up, down, left, right)) vertical(line, 0, level(end));
  for (const [line, end] of ends(down, up, left, right)) vertical(line, level(-end), height);
  for (const [line, end] of ends(left, right, up, down)) {
    horizontal(line, 0, column(end).at(-1) ?? 0);
  }
  for (const [line, end] of ends(right, left, up, down)) horizontal(line, column(-end)[0], 8);
  return rows;
}

/**
 * The lines of an arm (-1, 0 or 1 off the middle) and how far each goes: to the near
 * line (-1), the middle (0) or the far line (1) of what crosses it.
 *
 * @param before The arm on the side of line -1.
 * @param behind The arm on the side of line 1.
 */
function ends(arm: number, opposite: number, before: number, behind: number): [number, number][] {
  if (arm === 0) return [];
  if (arm === 1) {
    if (opposite > 0) return [[0, 0]];
    if (before === 2 && behind === 2) return [[0, -1]];
    return [[0, before === 2 || behind === 2 ? 1 : 0]];
  }
  const end = (side: number, other: number) => {
    if (side > 0) return side === 2 ? -1 : 0;
    return opposite === 0 && other === 2 ? 1 : 0;
  };
  return [[-1, end(before, behind)], [1, end(behind, before)]];
}
