/**
 * Interrupt 13h: one hard disk that can be read, or none.
 *
 * | AH          | what it does                                                  |
 * | ----------- | ------------------------------------------------------------- |
 * | 00 01       | reset; result of the last operation                           |
 * | 02 03 04    | read, write (refused), verify by cylinder, head and sector    |
 * | 08 15       | geometry; type and size                                       |
 * | 41          | extensions: those that address by block                       |
 * | 42 43 44 47 | read, write (refused), verify, seek by block                  |
 * | 48          | size                                                          |
 *
 * Source: Ralf Brown's interrupt list; Phoenix Enhanced Disk Drive Specification 1.1.
 *
 * @module
 */

import { bda } from "./bios_data.ts";
import type { Guest } from "./guest.ts";

const sectorSize = 512;
const sectorsATrack = 63;
const drive = 0x80;

/** Results, in AH. */
const result = { ok: 0, bad: 0x01, protected: 0x03, notFound: 0x04, noDrive: 0x80 } as const;

/** A disk's contents. */
export interface DiskImage {
  /** Sectors of 512 bytes. */
  readonly sectors: number;
  /** Reads sectors that there are. */
  read(first: number, count: number): Uint8Array;
}

/** A disk that is a file in memory; a last piece of a sector is filled up with zeroes. */
export function diskImage(bytes: Uint8Array): DiskImage {
  return {
    sectors: Math.ceil(bytes.length / sectorSize),
    read(first, count) {
      const piece = new Uint8Array(count * sectorSize);
      piece.set(bytes.subarray(first * sectorSize, (first + count) * sectorSize));
      return piece;
    },
  };
}

/** Heads and cylinders that a disk is said to have. */
function geometry(disk: DiskImage): { heads: number; cylinders: number } {
  const heads = disk.sectors > 1024 * 16 * sectorsATrack ? 255 : 16;
  const cylinders = Math.ceil(disk.sectors / (heads * sectorsATrack));
  return { heads, cylinders: Math.max(1, Math.min(1024, cylinders)) };
}

/** Interrupt 13h, with this disk. */
export function diskService(guest: Guest, disk: DiskImage | undefined): void {
  const { ah } = guest;
  if (ah === 0x01) {
    guest.ah = guest.read(bda.diskStatus, 1);
    guest.carry = guest.ah !== 0;
    return;
  }
  const status = disk === undefined || guest.dl !== drive
    ? missing(guest)
    : perform(guest, disk, ah);
  guest.write(bda.diskStatus, status, 1);
  guest.carry = status !== result.ok;
  // Functions 15 and 41 answer in AH themselves.
  if (status !== result.ok || (ah !== 0x15 && ah !== 0x41)) guest.ah = status;
}

/** Nobody there: to some questions that is an answer. */
function missing(guest: Guest): number {
  const { ah } = guest;
  if (ah === 0x00 && guest.dl < drive) return result.ok;
  if (ah === 0x15) {
    guest.ah = 0;
    return result.ok;
  }
  return result.bad;
}

function perform(guest: Guest, disk: DiskImage, ah: number): number {
  switch (ah) {
    case 0x00:
    case 0x0d:
    case 0x10:
    case 0x11:
    case 0x47:
      return result.ok;
    case 0x02:
    case 0x04:
      return byPlace(guest, disk, ah === 0x02);
    case 0x03:
    case 0x43:
      return result.protected;
    case 0x08: {
      const { heads, cylinders } = geometry(disk);
      const last = cylinders - 1;
      guest.cx = (last & 0xff) << 8 | last >> 2 & 0xc0 | sectorsATrack;
      guest.dx = heads - 1 << 8 | 1;
      guest.bl = 0;
      return result.ok;
    }
    case 0x15:
      guest.ah = 0x03;
      guest.cx = disk.sectors >>> 16 & 0xffff;
      guest.dx = disk.sectors & 0xffff;
      return result.ok;
    case 0x41:
      if (guest.bx !== 0x55aa) return result.bad;
      // Version 1.1, access by block.
      guest.ah = 0x21;
      guest.bx = 0xaa55;
      guest.cx = 0x0001;
      return result.ok;
    case 0x42:
    case 0x44:
      return byBlock(guest, disk, ah === 0x42);
    case 0x48:
      return parameters(guest, disk);
    default:
      return result.bad;
  }
}

function byPlace(guest: Guest, disk: DiskImage, reads: boolean): number {
  const { heads } = geometry(disk);
  const count = guest.al;
  const cylinder = guest.ch | (guest.cl & 0xc0) << 2;
  const sector = guest.cl & 0x3f;
  guest.al = 0;
  if (sector === 0 || guest.dh >= heads || count === 0 || count > 128) return result.bad;
  const first = (cylinder * heads + guest.dh) * sectorsATrack + sector - 1;
  if (first + count > disk.sectors) return result.notFound;
  if (reads) guest.writeBytes(guest.es(guest.bx), disk.read(first, count));
  guest.al = count;
  return result.ok;
}

/** DS:SI is a packet: its size, sectors, where to, and from which block on. */
function byBlock(guest: Guest, disk: DiskImage, reads: boolean): number {
  const packet = guest.ds(guest.si);
  const count = guest.read(packet + 2, 2);
  const to = guest.read(packet + 6, 2) * 16 + guest.read(packet + 4, 2);
  const first = guest.read(packet + 8, 4) + guest.read(packet + 12, 4) * 2 ** 32;
  if (guest.read(packet, 1) < 16 || count > 127 || first + count > disk.sectors) {
    guest.write(packet + 2, 0, 2);
    return result.bad;
  }
  if (reads) guest.writeBytes(to, disk.read(first, count));
  return result.ok;
}

/** DS:SI is a buffer of at least 26 bytes. */
function parameters(guest: Guest, disk: DiskImage): number {
  const at = guest.ds(guest.si);
  if (guest.read(at, 2) < 26) return result.bad;
  const { heads, cylinders } = geometry(disk);
  guest.write(at, 26, 2);
  // The geometry given is right.
  guest.write(at + 2, 0x0002, 2);
  guest.write(at + 4, cylinders, 4);
  guest.write(at + 8, heads, 4);
  guest.write(at + 12, sectorsATrack, 4);
  guest.write(at + 16, disk.sectors, 4);
  guest.write(at + 20, Math.floor(disk.sectors / 2 ** 32), 4);
  guest.write(at + 24, sectorSize, 2);
  return result.ok;
}
