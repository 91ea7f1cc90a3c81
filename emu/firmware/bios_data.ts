/**
 * The BIOS data area: what a PC's BIOS remembers, at 0x400, where programs look.
 *
 * Source: IBM PC/AT Technical Reference, BIOS listing; Ralf Brown's memory list for
 * what came with EGA and VGA.
 *
 * @module
 */

/** Physical addresses of its fields. */
export const bda = {
  /** Four ports of serial lines, words. */
  serialPorts: 0x400,
  /** Segment of the extended area. */
  extendedSegment: 0x40e,
  /** What interrupt 11h answers. */
  equipment: 0x410,
  /** KiB of memory below the extended area. */
  memoryKiB: 0x413,
  /** Shift keys: bit 0 right Shift, 1 left Shift, 2 Ctrl, 3 Alt, 4-6 locks, 7 Insert. */
  shifts: 0x417,
  /** Which of them are down: bit 0 left Ctrl, 1 left Alt, 4-7 locks and Insert. */
  shiftsDown: 0x418,
  /** The number that Alt and the keypad are typing. */
  altNumber: 0x419,
  /** Next key to be read: its offset in segment 40h. */
  bufferHead: 0x41a,
  /** Where the next key goes. */
  bufferTail: 0x41c,
  /** Room for 16 keys. */
  buffer: 0x41e,
  /** Video mode. */
  mode: 0x449,
  /** Characters in a line. */
  columns: 0x44a,
  /** Bytes of a page. */
  pageSize: 0x44c,
  /** Where the page shown begins, in bytes. */
  pageStart: 0x44e,
  /** Cursors of eight pages: column, row. */
  cursors: 0x450,
  /** Last and first row of dots of the cursor. */
  cursorShape: 0x460,
  /** The page shown. */
  page: 0x462,
  /** Port of the CRT controller. */
  crtc: 0x463,
  /** Ticks since midnight, 18.2 a second. */
  ticks: 0x46c,
  /** Not zero: midnight has passed. */
  midnight: 0x470,
  /** 1234h: a reset that should be quick. */
  resetFlag: 0x472,
  /** Result of the last disk operation. */
  diskStatus: 0x474,
  /** Hard disks. */
  disks: 0x475,
  /** Where the key buffer begins. */
  bufferStart: 0x480,
  /** Where it ends. */
  bufferEnd: 0x482,
  /** Lines on the screen, less one. */
  rows: 0x484,
  /** Rows of dots of a character. */
  fontHeight: 0x485,
  /** What kind of EGA there is: bit 3 it is not active, bits 5 and 6 memory. */
  egaMemory: 0x487,
  /** Its switches. */
  egaSwitches: 0x488,
  /** VGA: bit 0 there is one, bit 4 400 lines. */
  vgaFlags: 0x489,
  /** Which display there is: an index for interrupt 10h, function 1A. */
  display: 0x48a,
  /** Bit 4: a keyboard of 101 keys. Bits 2 and 3 right Ctrl and Alt, 1 and 0 prefixes. */
  keyboard: 0x496,
} as const;

/** Segment of the extended area, the last KiB below 640. */
export const extendedSegment = 0x9fc0;
/** KiB below it. */
export const lowKiB = 639;
