/**
 * What the board's VGA is asked, in the language of `scripts.ts`; the witness's answers
 * are in `vga_answers.ts`, made by `make_answers.ts`.
 */

/** The steps, by name. */
export const vgaScripts = {
  "vga: registers": `
    out 3c2 67; colour addresses, memory on
    in 3cc
    in 3b5; nobody at the other place
    out 3c4 0d
    in 3c4 &07
    set 3c4 00 03
    set 3c4 01 ff
    set 3c4 02 ff
    set 3c4 03 ff
    set 3c4 04 ff
    get 3c4 00
    get 3c4 01
    get 3c4 02
    get 3c4 03
    get 3c4 04
    set 3ce 00 ff
    set 3ce 01 ff
    set 3ce 02 ff
    set 3ce 03 ff
    set 3ce 04 ff
    set 3ce 05 ff
    set 3ce 06 ff
    set 3ce 07 ff
    set 3ce 08 ff
    get 3ce 00
    get 3ce 01
    get 3ce 02
    get 3ce 03
    get 3ce 04
    get 3ce 05
    get 3ce 06
    get 3ce 07
    get 3ce 08
    set 3d4 11 0e
    set 3d4 00 40
    set 3d4 01 41
    set 3d4 02 42
    set 3d4 03 43
    set 3d4 04 44
    set 3d4 05 45
    set 3d4 06 46
    set 3d4 07 47
    set 3d4 08 48
    set 3d4 09 49
    set 3d4 0a 4a
    set 3d4 0b 4b
    set 3d4 0c 4c
    set 3d4 0d 4d
    set 3d4 0e 4e
    set 3d4 0f 4f
    set 3d4 10 50
    set 3d4 12 8f
    get 3d4 00
    get 3d4 01
    get 3d4 02
    get 3d4 03
    get 3d4 04
    get 3d4 05
    get 3d4 06
    get 3d4 07
    get 3d4 08
    get 3d4 09
    get 3d4 0a
    get 3d4 0b
    get 3d4 0c
    get 3d4 0d
    get 3d4 0e
    get 3d4 0f
    get 3d4 10
    get 3d4 11
    get 3d4 12
    set 3d4 11 8e
    set 3d4 01 11
    set 3d4 07 00
    set 3d4 07 10
    set 3d4 09 4f
    get 3d4 01
    get 3d4 07
    get 3d4 09
    get 3d4 11
    in 3da &0; the next byte is an index
    out 3c0 00
    out 3c0 0f
    out 3c0 01
    out 3c0 10
    out 3c0 02
    out 3c0 11
    out 3c0 03
    out 3c0 12
    out 3c0 04
    out 3c0 13
    out 3c0 05
    out 3c0 14
    out 3c0 06
    out 3c0 15
    out 3c0 07
    out 3c0 16
    out 3c0 08
    out 3c0 17
    out 3c0 09
    out 3c0 18
    out 3c0 0a
    out 3c0 19
    out 3c0 0b
    out 3c0 1a
    out 3c0 0c
    out 3c0 1b
    out 3c0 0d
    out 3c0 1c
    out 3c0 0e
    out 3c0 1d
    out 3c0 0f
    out 3c0 1e
    out 3c0 10
    out 3c0 1f
    out 3c0 11
    out 3c0 20
    out 3c0 12
    out 3c0 21
    out 3c0 13
    out 3c0 22
    out 3c0 14
    out 3c0 23
    in 3da &0
    out 3c0 00
    in 3c1
    in 3da &0
    out 3c0 05
    in 3c1
    in 3da &0
    out 3c0 0f
    in 3c1
    in 3da &0
    out 3c0 10
    in 3c1
    in 3da &0
    out 3c0 12
    in 3c1
    in 3da &0
    out 3c0 14
    in 3c1
    in 3da &0
    out 3c0 20
    in 3da &0
    in 3c0
    out 3c8 12
    out 3c9 09
    out 3c9 0a
    out 3c9 0b
    out 3c8 10
    out 3c9 01
    out 3c9 02
    out 3c9 03
    out 3c9 3f
    out 3c9 2f
    out 3c9 1f
    out 3c9 07; a colour counts when its third part has come
    in 3c7 &03
    in 3c8
    out 3c7 10
    in 3c7 &03
    in 3c9
    in 3c9
    in 3c9
    in 3c9
    in 3c9
    in 3c9
    in 3c9
    in 3c9
    out 3c2 66; the other place
    in 3d5
    get 3b4 01
  `,
  "vga: text, its window, and a font": `
    out 3c2 67
    set 3c4 00 03
    set 3c4 01 00
    set 3c4 02 03
    set 3c4 03 00
    set 3c4 04 02
    set 3ce 00 00
    set 3ce 01 00
    set 3ce 02 00
    set 3ce 03 00
    set 3ce 04 00
    set 3ce 05 10
    set 3ce 06 0e
    set 3ce 07 00
    set 3ce 08 ff
    write b8000 1f421e41
    write b8004 12345678
    read b8000
    read b8001
    read b8004
    read a0000; not mapped
    read b0000
    set 3c4 02 01
    write b8000 ffffffff; only characters
    read b8000
    set 3c4 02 04; the font, as kernels load it
    set 3c4 04 07
    set 3ce 04 02
    set 3ce 05 00
    set 3ce 06 00
    write a0820 5a3c187e
    read a0820
    write a0822 0000ff00
    read a0820
    set 3c4 02 03
    set 3c4 04 03
    set 3ce 04 00
    set 3ce 05 10
    set 3ce 06 0e
    read b8000
    read b8004
  `,
  "vga: planes, what is read from them and written to them": `
    out 3c2 67
    set 3c4 00 03
    set 3c4 02 0f
    set 3c4 04 06
    set 3ce 00 00
    set 3ce 01 00
    set 3ce 02 00
    set 3ce 03 00
    set 3ce 04 00
    set 3ce 05 00
    set 3ce 06 05
    set 3ce 07 0f
    set 3ce 08 ff
    write a0000 0f0f0f0f
    read a0000
    set 3c4 02 01
    write a0100 11223344
    set 3c4 02 02
    write a0100 22446688
    set 3c4 02 04
    write a0100 336699cc
    set 3c4 02 08
    write a0100 4488cd10
    set 3ce 04 00
    read a0100
    set 3ce 04 01
    read a0100
    set 3ce 04 02
    read a0100
    set 3ce 04 03
    read a0100
    set 3c4 02 0f
    set 3ce 03 08
    set 3ce 08 ff
    read a0100
    write a0100 c35aa50f
    set 3ce 04 00
    read a0100
    set 3ce 04 03
    read a0100
    set 3ce 03 10
    set 3ce 08 ff
    read a0100
    write a0100 c35aa50f
    set 3ce 04 00
    read a0100
    set 3ce 04 03
    read a0100
    set 3ce 03 18
    set 3ce 08 ff
    read a0100
    write a0100 c35aa50f
    set 3ce 04 00
    read a0100
    set 3ce 04 03
    read a0100
    set 3ce 03 03
    set 3ce 08 f0
    read a0100
    write a0100 c35aa50f
    set 3ce 04 00
    read a0100
    set 3ce 04 03
    read a0100
    set 3ce 03 1d
    set 3ce 08 ff
    read a0100
    write a0100 c35aa50f
    set 3ce 04 00
    read a0100
    set 3ce 04 03
    read a0100
    set 3ce 03 00
    set 3ce 08 ff
    set 3ce 00 05
    set 3ce 01 03
    write a0104 a5a5a5a5; set and reset
    set 3ce 04 00
    read a0104
    set 3ce 04 01
    read a0104
    set 3ce 04 02
    read a0104
    set 3ce 04 03
    read a0104
    set 3ce 01 00
    set 3ce 05 01
    read a0100
    write a0200 00000000; mode 1 copies what was read last
    set 3ce 04 00
    read a0200
    set 3ce 04 01
    read a0200
    set 3ce 04 02
    read a0200
    set 3ce 04 03
    read a0200
    set 3ce 05 02
    set 3ce 08 3c
    read a0100
    write a0204 0a05030c; mode 2 writes colours
    set 3ce 04 00
    read a0204
    set 3ce 04 01
    read a0204
    set 3ce 04 02
    read a0204
    set 3ce 04 03
    read a0204
    set 3ce 05 03
    set 3ce 08 ff
    set 3ce 00 09
    set 3ce 03 02
    read a0104
    write a0208 f00ff0aa; mode 3 masks
    set 3ce 04 00
    read a0208
    set 3ce 04 01
    read a0208
    set 3ce 04 02
    read a0208
    set 3ce 04 03
    read a0208
    set 3ce 05 08
    set 3ce 02 05
    set 3ce 07 0f
    read a0100; which dots have a colour
    read a0204
    set 3ce 07 03
    read a0204
    read a0208
  `,
} as const;
