/**
 * Register values of the VGA's text mode 3: 80 by 25 characters of 9 by 16 dots,
 * 720 by 400 dots, 70 times a second.
 *
 * Source: IBM PS/2 Hardware Interface Technical Reference (1991), "Video
 * Subsystem", table of BIOS modes; the values follow from its timing.
 *
 * @module
 */

/** All registers of a mode. */
export interface VgaMode {
  /** Port 3c2: colour addresses, memory on, 28.322 MHz, 400 lines. */
  readonly misc: number;
  /** Sequencer 0 to 4. */
  readonly sequencer: readonly number[];
  /** CRT controller 0 to 24. */
  readonly crtc: readonly number[];
  /** Graphics 0 to 8. */
  readonly graphics: readonly number[];
  /** Attributes 0 to 20, the palette first. */
  readonly attributes: readonly number[];
  /** Red, green and blue of the 256 colours, 6 bits each. */
  dac(): Uint8Array;
}

/** Mode 3. */
export const mode3: VgaMode = {
  misc: 0x67,
  sequencer: [0x03, 0x00, 0x03, 0x00, 0x02],
  crtc: [
    ...[0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00],
    ...[0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff],
  ],
  graphics: [0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff],
  // Brown is dark yellow with half the green; the bright eight have all three low bits.
  attributes: [
    ...[0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07],
    ...[0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f],
    ...[0x0c, 0x00, 0x0f, 0x08, 0x00],
  ],
  dac: egaColours,
};

/**
 * The first 64 colours, those of the EGA: bits 2 to 0 are red, green and blue at two
 * thirds, bits 5 to 3 the same at one third.
 */
function egaColours(): Uint8Array {
  const dac = new Uint8Array(3 * 256);
  for (let colour = 0; colour < 64; colour++) {
    for (let part = 0; part < 3; part++) {
      const strong = colour >> 2 - part & 1;
      const weak = colour >> 5 - part & 1;
      dac[3 * colour + part] = 42 * strong + 21 * weak;
    }
  }
  return dac;
}
