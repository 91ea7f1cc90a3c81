/**
 * What the board's devices are asked, step by step; the witness's answers are in
 * `answers.ts`, made by `make_answers.ts`.
 *
 * A step is a line, numbers in hexadecimal:
 *
 *     out PORT VALUE       in PORT       a byte
 *     out4 PORT VALUE      in4 PORT      four bytes
 *     in2 PORT             two bytes from the same port, the lower one first
 *     write ADDR VALUE     read ADDR     four bytes of physical memory
 *     wait NS                            lets (decimal) nanoseconds pass, about
 *     set PORT INDEX VALUE               a register behind an index: two bytes out
 *     get PORT INDEX                     the same: a byte out, a byte in
 *
 * An answer may differ by `~N`, and only the bits of `&MASK` are compared. What
 * follows `;` is a remark.
 */

/** The steps, by name. */
export const scripts = {
  "pit: counter 2 as kernels calibrate by it": `
    out 61 01; gate open, speaker off
    out 43 b0; mode 0
    out 42 ff
    out 42 ff
    in2 42 ~3
    in 61 &2f
    wait 100000
    in2 42 ~3
    wait 1000000
    in2 42 ~3
    wait 30000000
    in 61 &2f
    wait 40000000
    in 61 &2f
    in2 42 ~3; went on below zero
  `,
  "pit: modes 2 and 3, latched, read back": `
    out 43 34; counter 0, mode 2
    out 40 9c
    out 40 2e
    wait 100000
    out 43 00; latch
    wait 1000000
    in2 40 ~3
    in2 40 ~3; not latched any more
    out 43 c2; read back both of counter 0
    in 40 &3f
    in2 40 ~3
    wait 25000000
    in2 40 ~3
    out 43 36; mode 3
    out 40 00
    out 40 20
    wait 1000000
    out 43 00
    in2 40 ~5
    out 43 e2; status only
    in 40 &bf
    wait 3000000
    out 43 e2
    in 40 &bf
    wait 3000000
    out 43 e2
    in 40 &bf
    out 43 14; low byte only
    out 40 c8
    wait 20000
    in 40 ~3
    out 43 24; high byte only
    out 40 c8
    wait 1000000
    in 40 ~1
  `,
  "pit: modes 4, 1 and 5": `
    out 61 01
    out 43 b8; mode 4
    out 42 00
    out 42 04
    wait 100000
    in2 42 ~3
    in 61 &0f; QEMU has the output upside down here
    wait 1000000
    in 61 &0f; QEMU has the output upside down here
    out 61 00
    out 43 b2; mode 1
    out 42 00
    out 42 10
    in 61 &0f; QEMU has the output upside down here
    out 61 01; trigger
    wait 1000000
    in2 42 ~3
    in 61 &0f; QEMU has the output upside down here
    wait 3000000
    in 61 &0f; QEMU has the output upside down here
    out 61 00
    out 61 01; trigger again
    wait 10000
    in 61 &0f; QEMU has the output upside down here
  `,
  "pic: set up as Linux does, lines, poll, end of interrupt": `
    out 21 ff
    out a1 ff
    out 20 11
    out 21 30
    out 21 04
    out 21 01
    out a0 11
    out a1 38
    out a1 02
    out a1 01
    in 21
    in a1
    out 21 fb
    out a1 ff
    in 21
    in a1
    in 20 &fe
    out 43 30; counter 0 ends once
    out 40 40
    out 40 00
    wait 200000
    in 20
    out 21 fa
    out 20 0c; poll
    in 20
    in 20; IRR
    out 20 0b
    in 20; ISR
    out 20 0c
    in 20; nothing
    out 20 20; EOI
    out 20 0b
    in 20
    out 20 0a
    in 20
    in 4d0
    in 4d1
    out 4d0 ff
    out 4d1 ff
    in 4d0
    in 4d1
  `,
  "pic: priorities, rotation, special mask, cascade": `
    out 20 11
    out 21 08
    out 21 04
    out 21 01
    out a0 11
    out a1 70
    out a1 02
    out a1 01
    out 3fc 08; OUT2
    out 3f9 02; THRE: interrupt 4
    out 43 30
    out 40 40
    out 40 00
    wait 200000
    out 20 0a
    in 20
    out 20 0c
    in 20; 0 first
    out 20 0c
    in 20; 4 waits
    out 20 e0; rotate on specific EOI: 0 is last
    out 20 0c
    in 20; 4
    out 20 0b
    in 20
    out 43 30
    out 40 40
    out 40 00
    wait 200000
    out 20 0c
    in 20; 0 is after 4 now
    out 21 10
    out 20 68; special mask
    out 20 0c
    in 20; lets it by
    out 20 48
    out 20 60
    out 20 64
    out 21 00
    out 20 c7; 7 is last again
    out 70 0b
    out 71 42; periodic interrupt of the clock
    wait 3000000
    out a0 0a
    in a0
    out 20 0a
    in 20 &04
    out 20 0c
    in 20; 2
    out a0 0c
    in a0; and there 0
    out a0 0b
    in a0
    out a0 20
    out 20 20
    out a0 0b
    in a0
  `,
  "rtc: time, formats, alarm, periodic flag": `
    out 70 0a
    in 71 &7f
    out 70 0b
    in 71
    out 70 0d
    in 71
    out 70 00
    in 71
    out 70 09
    in 71
    out 70 32
    in 71
    out 70 06
    in 71
    out 70 0c
    in 71 &0f
    wait 1010000000
    out 70 0c
    in 71 &10
    in 71 &10
    out 70 00
    in 71
    out 70 0b
    out 71 82; SET, 24 hours, BCD
    out 70 00
    out 71 58
    out 70 02
    out 71 59
    out 70 04
    out 71 23
    out 70 07
    out 71 28
    out 70 08
    out 71 02
    out 70 09
    out 71 24
    out 70 01
    out 71 00; alarm at midnight
    out 70 03
    out 71 00
    out 70 05
    out 71 00
    out 70 00
    in 71
    wait 1500000000
    in 71; stands still
    out 70 0b
    out 71 02
    out 70 0c
    in 71 &00
    wait 2510000000
    out 70 04
    in 71
    out 70 07
    in 71
    out 70 08
    in 71
    out 70 0c
    in 71 &20
    out 70 0b
    out 71 06; binary
    out 70 0a
    out 71 26
    out 70 0c
    in 71 &00
    wait 2000000
    in 71 &00; QEMU has no PF while PIE is off
    out 70 0f
    out 71 5a
    in 71
  `,
  "rtc: twelve hours": `
    out 70 0b
    out 71 80
    out 70 04
    out 71 92; noon
    out 70 02
    out 71 59
    out 70 00
    out 71 59
    out 70 0b
    out 71 00
    out 70 04
    in 71
    wait 1010000000
    in 71
    out 70 02
    in 71
    out 70 0b
    out 71 02
    out 70 04
    in 71 &00
  `,
  "uart: probed as 8250_port does": `
    in 3fd
    in 3fe
    in 3fa
    out 3f9 00
    in 3f9
    out 3f9 0f
    in 3f9
    out 3f9 00
    out 3fc 1a; loop
    in 3fe &f0; QEMU notes no changes in the loop
    in 3fe &f0
    out 3fc 10
    in 3fe &f0
    in 3fe &f0
    out 3fc 1f
    in 3fe &f0
    out 3fc 00
    in 3fe &f0
    out 3fa 01
    in 3fa
    out 3fb bf
    in 3fa
    out 3fb 00
    out 3fa 21
    in 3fa
    out 3fa 01
    out 3ff a5
    in 3ff
    out 3fb 83
    out 3f8 01
    out 3f9 00
    in 3f8
    in 3f9
    out 3fb 03
    in 3fb
    out 3f9 02; THRE
    in 3fa
    in 3fa
    out 3f9 00
    out 3f9 02
    in 3fa
    in 3fa
    out 3f9 00
    out 3fc 0b
    in 3fc
    out 3f9 0d
    in 3fa
  `,
  "uart: bytes through the loop": `
    out 3fb 83
    out 3f8 01
    out 3f9 00
    out 3fb 03
    out 3fa 07
    out 3f9 05
    out 3fc 18
    out 3f8 41
    wait 2000000
    in 3fd
    in 3fa &f7; QEMU puts the time-out before the trigger
    in 3f8
    in 3fd
    in 3fa
    out 3fa 00
    out 3f8 42
    wait 2000000
    in 3fa
    out 3f8 43
    wait 2000000
    in 3fd
    in 3f8
    in 3fd
  `,
  "i8042: probed as its driver does": `
    in 64 &03
    out 64 20
    wait 100000
    in 64 &0b
    in 60 &00
    out 64 aa
    wait 100000
    in 64 &01
    in 60
    in 64 &01
    out 64 ab
    wait 100000
    in 60
    out 64 60
    out 60 04; no translation
    out 64 20
    wait 100000
    in 60
    out 60 f2
    wait 1000000
    in 60
    wait 1000000
    in 60
    wait 1000000
    in 60
    out 64 60
    out 60 45; translation
    out 60 f2
    wait 1000000
    in 60
    wait 1000000
    in 60
    wait 1000000
    in 60
    out 60 ed
    wait 1000000
    in 60
    out 60 02
    wait 1000000
    in 60
    out 60 ff
    wait 1000000
    in 60
    wait 1000000
    in 60
    out 64 d0
    wait 100000
    in 60 &02
  `,
  "lapic: registers, priorities, self interrupts, timer": `
    read fee00030 &00ff00ff
    read fee00020
    write fee000f0 1ff
    read fee000f0
    write fee000d0 01000000
    read fee000d0
    write fee000e0 ffffffff
    read fee000e0
    write fee00080 20
    read fee00080
    read fee000a0
    write fee00300 40041; to myself, vector 41
    write fee00300 40085
    read fee00220
    read fee00240
    write fee00300 40041
    read fee00220
    write fee003e0 0b; divide by 1
    write fee00320 10050; once, masked
    write fee00380 100000
    read fee00390 ~200
    wait 100000
    read fee00390 ~200
    wait 2000000
    read fee00390
    write fee003e0 3; divide by 16
    write fee00320 20050; periodic
    write fee00380 1000
    wait 20000
    read fee00390 ~20
    wait 100000
    read fee00220
    read fee00320
    write fee00280 0
    read fee00280
  `,
  "ioapic: redirection entries": `
    write fec00000 1
    read fec00010 &ffff0000
    write fec00000 0
    write fec00010 02000000
    read fec00010
    write fec00000 10
    read fec00010
    write fec00000 28
    write fec00010 ffffffff
    read fec00010 &1ffff; QEMU keeps reserved bits
    write fec00000 29
    write fec00010 ff000000
    read fec00010
    write fec00000 12
    write fec00010 10931
    read fec00010
    write fec00000 3f
    read fec00010
    write fec00000 40
    read fec00010
  `,
  "ioapic: the timer's edge and the keyboard's level reach the local APIC": `
    write fee000f0 1ff
    write fec00000 14
    write fec00010 51; input 2, edge
    out 43 30
    out 40 40
    out 40 00
    wait 200000
    read fee00220
    write fec00000 18
    write fec00010 8062; input 4, level
    out 3fc 08
    out 3f9 02
    read fee00230
    read fec00010
    in 3fa
    read fec00010
  `,
  "hpet: counter and comparators": `
    read fed00000
    read fed00004
    read fed00010
    read fed00100 &38
    write fed00010 1
    read fed000f0 &00
    write fed00010 0
    write fed000f0 0
    write fed000f4 0
    write fed00010 1
    wait 1000000
    read fed000f0 ~20
    read fed000f4
    write fed00010 0
    write fed000f0 0
    write fed00100 4; comparator 0, once
    write fed0010c 0
    write fed00108 2000
    read fed00108
    read fed0010c
    out 21 ff
    out 20 0a
    write fed00010 3; takes over interrupts 0 and 8
    wait 200000
    in 20 &01
    write fed00010 0
    write fed00100 4c; periodic
    write fed00108 1000
    write fed00108 1000
    write fed000f0 0
    write fed00010 3
    wait 500000
    in 20 &01
    read fed00108
    read fed00100 &0c
  `,
  "acpi: events, control, timer": `
    out4 cf8 80000b40; PIIX4: base of the block
    out4 cfc 601
    out4 cf8 80000b80
    out4 cfc 1
    in4 608 ~30 &ffffff
    wait 1000000
    in4 608 ~30 &ffffff
    in 602
    out 602 20
    in 602
    out 602 0
    out 600 01
    wait 2400000000
    in 600
    out 600 01
    in 600
    in 603
  `,
  "pci: the host bridge and nobody else": `
    out4 cf8 80000000
    in4 cf8
    in4 cfc
    in cfc
    in cfd
    in cfe
    in cff
    out4 cf8 80000008
    in4 cfc &ffffff00
    out4 cf8 8000f800
    in4 cfc
    out4 cf8 00000000
    in4 cfc
    out4 cf8 80000010
    out4 cfc ffffffff
    in4 cfc
  `,
} as const;
