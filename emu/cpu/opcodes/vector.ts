/**
 * The opcode map of MMX and SSE to SSE4.2, with AES, SHA and carry-less
 * multiplication in their SSE encodings.
 *
 * The 3DNow! extension (0f 0f) is left out. Encodings with VEX or EVEX are not
 * in the map at all: a processor that does not advertise AVX raises #UD on them,
 * as this one does.
 *
 * Source: Intel SDM vol. 2, appendix A, tables.
 *
 * @module
 */

import { hex2, type Row, row } from "./row.ts";

const sse = { needs: "sse" } as const;
const sse2 = { needs: "sse2" } as const;
const sse3 = { needs: "pni" } as const;
const ssse3 = { needs: "ssse3" } as const;
const sse41 = { needs: "sse4_1" } as const;
const sse42 = { needs: "sse4_2" } as const;
const mmx = { needs: "mmx" } as const;

/** Arithmetic on packed and scalar numbers: one opcode, four prefixes. */
function floating(): Row[] {
  const names: Readonly<Record<number, string>> = {
    ...{ 0x51: "sqrt", 0x58: "add", 0x59: "mul", 0x5c: "sub" },
    ...{ 0x5d: "min", 0x5e: "div", 0x5f: "max" },
  };
  const four = Object.entries(names).flatMap(([op, name]) => {
    const opcode = `0f ${hex2(Number(op))} /r`;
    return [
      row(`np ${opcode}`, `${name}ps Vps, Wps`, sse),
      row(`66 ${opcode}`, `${name}pd Vpd, Wpd`, sse2),
      row(`f3 ${opcode}`, `${name}ss Vss, Wss`, sse),
      row(`f2 ${opcode}`, `${name}sd Vsd, Wsd`, sse2),
    ];
  });
  const two = [[0x14, "unpckl"], [0x15, "unpckh"], [0x54, "and"], [0x55, "andn"], [0x56, "or"], [
    0x57,
    "xor",
  ]] as const;
  return [
    ...four,
    ...two.flatMap(([op, name]) => [
      row(`np 0f ${hex2(op)} /r`, `${name}ps Vps, Wps`, sse),
      row(`66 0f ${hex2(op)} /r`, `${name}pd Vpd, Wpd`, sse2),
    ]),
    row("np 0f 52 /r", "rsqrtps Vps, Wps", sse),
    row("f3 0f 52 /r", "rsqrtss Vss, Wss", sse),
    row("np 0f 53 /r", "rcpps Vps, Wps", sse),
    row("f3 0f 53 /r", "rcpss Vss, Wss", sse),
    row("np 0f c2 /r ib", "cmpps Vps, Wps, Ib", sse),
    row("66 0f c2 /r ib", "cmppd Vpd, Wpd, Ib", sse2),
    row("f3 0f c2 /r ib", "cmpss Vss, Wss, Ib", sse),
    row("f2 0f c2 /r ib", "cmpsd Vsd, Wsd, Ib", sse2),
    row("np 0f c6 /r ib", "shufps Vps, Wps, Ib", sse),
    row("66 0f c6 /r ib", "shufpd Vpd, Wpd, Ib", sse2),
    row("np 0f 2e /r", "ucomiss Vss, Wss", sse),
    row("66 0f 2e /r", "ucomisd Vsd, Wsd", sse2),
    row("np 0f 2f /r", "comiss Vss, Wss", sse),
    row("66 0f 2f /r", "comisd Vsd, Wsd", sse2),
    row("66 0f 7c /r", "haddpd Vpd, Wpd", sse3),
    row("f2 0f 7c /r", "haddps Vps, Wps", sse3),
    row("66 0f 7d /r", "hsubpd Vpd, Wpd", sse3),
    row("f2 0f 7d /r", "hsubps Vps, Wps", sse3),
    row("66 0f d0 /r", "addsubpd Vpd, Wpd", sse3),
    row("f2 0f d0 /r", "addsubps Vps, Wps", sse3),
  ];
}

function moves(): Row[] {
  return [
    row("np 0f 10 /r", "movups Vps, Wps", sse),
    row("66 0f 10 /r", "movupd Vpd, Wpd", sse2),
    row("f3 0f 10 /r", "movss Vss, Wss", sse),
    row("f2 0f 10 /r", "movsd Vsd, Wsd", sse2),
    row("np 0f 11 /r", "movups Wps, Vps", sse),
    row("66 0f 11 /r", "movupd Wpd, Vpd", sse2),
    row("f3 0f 11 /r", "movss Wss, Vss", sse),
    row("f2 0f 11 /r", "movsd Wsd, Vsd", sse2),
    row("np 0f 12 /r", "movlps Vq, Mq", sse),
    row("np 0f 12 /r 11b", "movhlps Vq, Udq", sse),
    row("66 0f 12 /r", "movlpd Vq, Mq", sse2),
    row("f3 0f 12 /r", "movsldup Vps, Wps", sse3),
    row("f2 0f 12 /r", "movddup Vdq, Wq", sse3),
    row("np 0f 13 /r", "movlps Mq, Vq", sse),
    row("66 0f 13 /r", "movlpd Mq, Vq", sse2),
    row("np 0f 16 /r", "movhps Vdq, Mq", sse),
    row("np 0f 16 /r 11b", "movlhps Vdq, Uq", sse),
    row("66 0f 16 /r", "movhpd Vdq, Mq", sse2),
    row("f3 0f 16 /r", "movshdup Vps, Wps", sse3),
    row("np 0f 17 /r", "movhps Mq, Vdq", sse),
    row("66 0f 17 /r", "movhpd Mq, Vdq", sse2),
    row("np 0f 28 /r", "movaps Vps, Wps", sse),
    row("66 0f 28 /r", "movapd Vpd, Wpd", sse2),
    row("np 0f 29 /r", "movaps Wps, Vps", sse),
    row("66 0f 29 /r", "movapd Wpd, Vpd", sse2),
    row("np 0f 2b /r", "movntps Mps, Vps", sse),
    row("66 0f 2b /r", "movntpd Mpd, Vpd", sse2),
    row("np 0f 50 /r", "movmskps Gy, Ups", sse),
    row("66 0f 50 /r", "movmskpd Gy, Upd", sse2),
    row("np 0f 6e /r", "movd Pd, Ed", mmx),
    row("np rex.w 0f 6e /r", "movq Pq, Eq", mmx),
    row("66 0f 6e /r", "movd Vdq, Ed", sse2),
    row("66 rex.w 0f 6e /r", "movq Vdq, Eq", sse2),
    row("np 0f 6f /r", "movq Pq, Qq", mmx),
    row("66 0f 6f /r", "movdqa Vdq, Wdq", sse2),
    row("f3 0f 6f /r", "movdqu Vdq, Wdq", sse2),
    row("np 0f 7e /r", "movd Ed, Pd", mmx),
    row("np rex.w 0f 7e /r", "movq Eq, Pq", mmx),
    row("66 0f 7e /r", "movd Ed, Vdq", sse2),
    row("66 rex.w 0f 7e /r", "movq Eq, Vdq", sse2),
    row("f3 0f 7e /r", "movq Vq, Wq", sse2),
    row("np 0f 7f /r", "movq Qq, Pq", mmx),
    row("66 0f 7f /r", "movdqa Wdq, Vdq", sse2),
    row("f3 0f 7f /r", "movdqu Wdq, Vdq", sse2),
    row("66 0f d6 /r", "movq Wq, Vq", sse2),
    row("f3 0f d6 /r 11b", "movq2dq Vdq, Nq", sse2),
    row("f2 0f d6 /r 11b", "movdq2q Pq, Uq", sse2),
    row("np 0f d7 /r", "pmovmskb Gy, Nq", sse),
    row("66 0f d7 /r", "pmovmskb Gy, Udq", sse2),
    row("np 0f e7 /r", "movntq Mq, Pq", sse),
    row("66 0f e7 /r", "movntdq Mdq, Vdq", sse2),
    row("f2 0f f0 /r", "lddqu Vdq, Mdq", sse3),
    row("np 0f f7 /r", "maskmovq Pq, Nq", sse),
    row("66 0f f7 /r", "maskmovdqu Vdq, Udq", sse2),
    row("66 0f 38 2a /r", "movntdqa Vdq, Mdq", sse41),
    row("np 0f 77", "emms", mmx),
  ];
}

function conversions(): Row[] {
  return [
    row("np 0f 2a /r", "cvtpi2ps Vps, Qq", sse),
    row("66 0f 2a /r", "cvtpi2pd Vpd, Qq", sse2),
    row("f3 0f 2a /r", "cvtsi2ss Vss, Ey", sse),
    row("f2 0f 2a /r", "cvtsi2sd Vsd, Ey", sse2),
    row("np 0f 2c /r", "cvttps2pi Pq, Wq", sse),
    row("66 0f 2c /r", "cvttpd2pi Pq, Wpd", sse2),
    row("f3 0f 2c /r", "cvttss2si Gy, Wss", sse),
    row("f2 0f 2c /r", "cvttsd2si Gy, Wsd", sse2),
    row("np 0f 2d /r", "cvtps2pi Pq, Wq", sse),
    row("66 0f 2d /r", "cvtpd2pi Pq, Wpd", sse2),
    row("f3 0f 2d /r", "cvtss2si Gy, Wss", sse),
    row("f2 0f 2d /r", "cvtsd2si Gy, Wsd", sse2),
    row("np 0f 5a /r", "cvtps2pd Vpd, Wq", sse2),
    row("66 0f 5a /r", "cvtpd2ps Vps, Wpd", sse2),
    row("f3 0f 5a /r", "cvtss2sd Vsd, Wss", sse2),
    row("f2 0f 5a /r", "cvtsd2ss Vss, Wsd", sse2),
    row("np 0f 5b /r", "cvtdq2ps Vps, Wdq", sse2),
    row("66 0f 5b /r", "cvtps2dq Vdq, Wps", sse2),
    row("f3 0f 5b /r", "cvttps2dq Vdq, Wps", sse2),
    row("66 0f e6 /r", "cvttpd2dq Vdq, Wpd", sse2),
    row("f3 0f e6 /r", "cvtdq2pd Vpd, Wq", sse2),
    row("f2 0f e6 /r", "cvtpd2dq Vdq, Wpd", sse2),
  ];
}

/** Integer vectors: MMX without prefix, SSE with 66. */
function integers(): Row[] {
  const both = (op: number, name: string, options: { readonly needs: string } = mmx): Row[] => [
    row(`np 0f ${hex2(op)} /r`, `${name} Pq, Qq`, options),
    row(`66 0f ${hex2(op)} /r`, `${name} Vdq, Wdq`, sse2),
  ];
  const low = ["punpcklbw", "punpcklwd", "punpckldq"].flatMap((name, n) => [
    row(`np 0f ${hex2(0x60 + n)} /r`, `${name} Pq, Qd`, mmx),
    row(`66 0f ${hex2(0x60 + n)} /r`, `${name} Vdq, Wdq`, sse2),
  ]);
  const from63 = ["packsswb", "pcmpgtb", "pcmpgtw", "pcmpgtd", "packuswb"];
  const from68 = ["punpckhbw", "punpckhwd", "punpckhdq", "packssdw"];
  const shifts = [[0x71, "w"], [0x72, "d"], [0x73, "q"]] as const;
  return [
    ...low,
    ...from63.flatMap((name, n) => both(0x63 + n, name)),
    ...from68.flatMap((name, n) => both(0x68 + n, name)),
    row("66 0f 6c /r", "punpcklqdq Vdq, Wdq", sse2),
    row("66 0f 6d /r", "punpckhqdq Vdq, Wdq", sse2),
    row("np 0f 70 /r ib", "pshufw Pq, Qq, Ib", sse),
    row("66 0f 70 /r ib", "pshufd Vdq, Wdq, Ib", sse2),
    row("f3 0f 70 /r ib", "pshufhw Vdq, Wdq, Ib", sse2),
    row("f2 0f 70 /r ib", "pshuflw Vdq, Wdq, Ib", sse2),
    ...shifts.flatMap(([op, width]) =>
      [[2, "psrl"], [4, "psra"], [6, "psll"]].flatMap(([n, name]) =>
        name === "psra" && width === "q" ? [] : [
          row(`np 0f ${hex2(op)} /${n} 11b ib`, `${name}${width} Nq, Ib`, mmx),
          row(`66 0f ${hex2(op)} /${n} 11b ib`, `${name}${width} Udq, Ib`, sse2),
        ]
      )
    ),
    row("66 0f 73 /3 11b ib", "psrldq Udq, Ib", sse2),
    row("66 0f 73 /7 11b ib", "pslldq Udq, Ib", sse2),
    ...["pcmpeqb", "pcmpeqw", "pcmpeqd"].flatMap((name, n) => both(0x74 + n, name)),
    row("np 0f c4 /r ib", "pinsrw Pq, Rd/Mw, Ib", sse),
    row("66 0f c4 /r ib", "pinsrw Vdq, Rd/Mw, Ib", sse2),
    row("np 0f c5 /r ib", "pextrw Gd, Nq, Ib", sse),
    row("66 0f c5 /r ib", "pextrw Gd, Udq, Ib", sse2),
    ...both(0xd1, "psrlw"),
    ...both(0xd2, "psrld"),
    ...both(0xd3, "psrlq"),
    ...both(0xd4, "paddq", sse2),
    ...both(0xd5, "pmullw"),
    ...both(0xd8, "psubusb"),
    ...both(0xd9, "psubusw"),
    ...both(0xda, "pminub", sse),
    ...both(0xdb, "pand"),
    ...both(0xdc, "paddusb"),
    ...both(0xdd, "paddusw"),
    ...both(0xde, "pmaxub", sse),
    ...both(0xdf, "pandn"),
    ...both(0xe0, "pavgb", sse),
    ...both(0xe1, "psraw"),
    ...both(0xe2, "psrad"),
    ...both(0xe3, "pavgw", sse),
    ...both(0xe4, "pmulhuw", sse),
    ...both(0xe5, "pmulhw"),
    ...both(0xe8, "psubsb"),
    ...both(0xe9, "psubsw"),
    ...both(0xea, "pminsw", sse),
    ...both(0xeb, "por"),
    ...both(0xec, "paddsb"),
    ...both(0xed, "paddsw"),
    ...both(0xee, "pmaxsw", sse),
    ...both(0xef, "pxor"),
    ...both(0xf1, "psllw"),
    ...both(0xf2, "pslld"),
    ...both(0xf3, "psllq"),
    ...both(0xf4, "pmuludq", sse2),
    ...both(0xf5, "pmaddwd"),
    ...both(0xf6, "psadbw", sse),
    ...both(0xf8, "psubb"),
    ...both(0xf9, "psubw"),
    ...both(0xfa, "psubd"),
    ...both(0xfb, "psubq", sse2),
    ...both(0xfc, "paddb"),
    ...both(0xfd, "paddw"),
    ...both(0xfe, "paddd"),
  ];
}

/** SSSE3 to SSE4.2: the maps behind 0f 38 and 0f 3a. */
function three(): Row[] {
  const from00 = [
    ...["pshufb", "phaddw", "phaddd", "phaddsw", "pmaddubsw", "phsubw", "phsubd", "phsubsw"],
    ...["psignb", "psignw", "psignd", "pmulhrsw"],
  ].map((name, n) => [n, name] as const);
  const abs = [[0x1c, "pabsb"], [0x1d, "pabsw"], [0x1e, "pabsd"]] as const;
  const extensions = [["bw", "q"], ["bd", "d"], ["bq", "w"], ["wd", "q"], ["wq", "d"], ["dq", "q"]];
  const from38 = [
    ...["pminsb", "pminsd", "pminuw", "pminud", "pmaxsb", "pmaxsd", "pmaxuw", "pmaxud"],
    ...["pmulld", "phminposuw"],
  ];
  return [
    ...[...from00, ...abs].flatMap(([op, name]) => [
      row(`np 0f 38 ${hex2(op)} /r`, `${name} Pq, Qq`, ssse3),
      row(`66 0f 38 ${hex2(op)} /r`, `${name} Vdq, Wdq`, ssse3),
    ]),
    row("66 0f 38 10 /r", "pblendvb Vdq, Wdq, XMM0", sse41),
    row("66 0f 38 14 /r", "blendvps Vps, Wps, XMM0", sse41),
    row("66 0f 38 15 /r", "blendvpd Vpd, Wpd, XMM0", sse41),
    row("66 0f 38 17 /r", "ptest Vdq, Wdq", sse41),
    ...extensions.flatMap(([name, size], n) => [
      row(`66 0f 38 ${hex2(0x20 + n)} /r`, `pmovsx${name} Vdq, W${size}`, sse41),
      row(`66 0f 38 ${hex2(0x30 + n)} /r`, `pmovzx${name} Vdq, W${size}`, sse41),
    ]),
    row("66 0f 38 28 /r", "pmuldq Vdq, Wdq", sse41),
    row("66 0f 38 29 /r", "pcmpeqq Vdq, Wdq", sse41),
    row("66 0f 38 2b /r", "packusdw Vdq, Wdq", sse41),
    row("66 0f 38 37 /r", "pcmpgtq Vdq, Wdq", sse42),
    ...from38.map((name, n) => row(`66 0f 38 ${hex2(0x38 + n)} /r`, `${name} Vdq, Wdq`, sse41)),
    ...["sha1nexte", "sha1msg1", "sha1msg2", "sha256rnds2", "sha256msg1", "sha256msg2"].map((
      name,
      n,
    ) =>
      row(
        `np 0f 38 ${hex2(0xc8 + n)} /r`,
        `${name} Vdq, Wdq${name === "sha256rnds2" ? ", XMM0" : ""}`,
        { needs: "sha_ni" },
      )
    ),
    ...["aesimc", "aesenc", "aesenclast", "aesdec", "aesdeclast"].map((name, n) =>
      row(`66 0f 38 ${hex2(0xdb + n)} /r`, `${name} Vdq, Wdq`, { needs: "aes" })
    ),
    row("66 0f 3a 08 /r ib", "roundps Vps, Wps, Ib", sse41),
    row("66 0f 3a 09 /r ib", "roundpd Vpd, Wpd, Ib", sse41),
    row("66 0f 3a 0a /r ib", "roundss Vss, Wss, Ib", sse41),
    row("66 0f 3a 0b /r ib", "roundsd Vsd, Wsd, Ib", sse41),
    row("66 0f 3a 0c /r ib", "blendps Vps, Wps, Ib", sse41),
    row("66 0f 3a 0d /r ib", "blendpd Vpd, Wpd, Ib", sse41),
    row("66 0f 3a 0e /r ib", "pblendw Vdq, Wdq, Ib", sse41),
    row("np 0f 3a 0f /r ib", "palignr Pq, Qq, Ib", ssse3),
    row("66 0f 3a 0f /r ib", "palignr Vdq, Wdq, Ib", ssse3),
    row("66 0f 3a 14 /r ib", "pextrb Rd/Mb, Vdq, Ib", sse41),
    row("66 0f 3a 15 /r ib", "pextrw Rd/Mw, Vdq, Ib", sse41),
    row("66 0f 3a 16 /r ib", "pextrd Ed, Vdq, Ib", sse41),
    row("66 rex.w 0f 3a 16 /r ib", "pextrq Eq, Vdq, Ib", sse41),
    row("66 0f 3a 17 /r ib", "extractps Rd/Md, Vdq, Ib", sse41),
    row("66 0f 3a 20 /r ib", "pinsrb Vdq, Rd/Mb, Ib", sse41),
    row("66 0f 3a 21 /r ib", "insertps Vps, Udq/Md, Ib", sse41),
    row("66 0f 3a 22 /r ib", "pinsrd Vdq, Ed, Ib", sse41),
    row("66 rex.w 0f 3a 22 /r ib", "pinsrq Vdq, Eq, Ib", sse41),
    row("66 0f 3a 40 /r ib", "dpps Vps, Wps, Ib", sse41),
    row("66 0f 3a 41 /r ib", "dppd Vpd, Wpd, Ib", sse41),
    row("66 0f 3a 42 /r ib", "mpsadbw Vdq, Wdq, Ib", sse41),
    row("66 0f 3a 44 /r ib", "pclmulqdq Vdq, Wdq, Ib", { needs: "pclmulqdq" }),
    row("66 0f 3a 60 /r ib", "pcmpestrm Vdq, Wdq, Ib", sse42),
    row("66 0f 3a 61 /r ib", "pcmpestri Vdq, Wdq, Ib", sse42),
    row("66 0f 3a 62 /r ib", "pcmpistrm Vdq, Wdq, Ib", sse42),
    row("66 0f 3a 63 /r ib", "pcmpistri Vdq, Wdq, Ib", sse42),
    row("np 0f 3a cc /r ib", "sha1rnds4 Vdq, Wdq, Ib", { needs: "sha_ni" }),
    row("66 0f 3a df /r ib", "aeskeygenassist Vdq, Wdq, Ib", { needs: "aes" }),
  ];
}

/** Vector instructions, by what they do. */
export function vectorRows(): Row[] {
  return [...floating(), ...moves(), ...conversions(), ...integers(), ...three()];
}
