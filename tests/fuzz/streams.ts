/**
 * One small file as each compressor's own tool packs it: xz-utils 5.4, bzip2 1.0.8,
 * lzop 1.04, lz4 1.9.4, zstd 1.5.4, gzip 1.12.
 *
 * The file has a sentence six times, x86 calls and jumps twelve times, 400 bytes of
 * noise and 300 zeros: matches near and far, literals, and work for the x86 filter.
 *
 * @module
 */

import type { Compression } from "../../formats/payload/compression.ts";

/** Length of the file in bytes. */
export const unpackedLength = 1150;

/** A stream and how it was made. */
interface Stream {
  /** Its format. */
  readonly format: Compression;
  /** The command that made it. */
  readonly made: string;
  /** The stream in base64. */
  readonly base64: string;
}

/** The streams, by name. */
export const streams: Readonly<Record<string, Stream>> = {
  xz: {
    format: "xz",
    made: "xz --x86 --lzma2=dict=64KiB -C crc32 -k",
    base64:
      "/Td6WFoAAAFpIt42AgEEACEBCADSuXTL4AR9Aa9dAC0ZSkcRd8OgirZWs0Ygggf25P8Z6ss4UZS3r21oy2S0JlQj" +
      "iF4z7AvBoa6/FcL4QBcGuDhpeOjXWCeFBQro+jH4iw8/i+J/dpFQ5X4S57viAhvET9BybWoCsBGYcuOhgumjWT7r" +
      "vKpI/iCishtrwPWRRIH5R+/EHlBbD8QJ+sg0qBLWaGXiplBl6+3L1rduniSYSY35/xkvn2cHpTwsVZC2iPuWpQdz" +
      "V7QcNP4CO4kew6hvmolYKy5qowXlw9qWaR9TND2eSUMDJMg6iC28x/dwbahssC7UTwgCQt4JxtBzQtSVePTguNvk" +
      "4NOlsoIjPPpUHPbd89JVpaKfEOJcFRGJj098ZrdTtS+N5MaeAAjXciMEGrzljYSk4cpHDqRCwjMYrGbuU3bCD1+d" +
      "hAhPEkZunl1AFXjmQ1C6BoKtvgXbG98Fn2IErbMXN5Pj5bmUe3W42JAk+y179UgAP5PEqVZjZII+LVq/4g9ImV07" +
      "/AthSlBBeQqKrc3wOOSUAOgMwyAhfgs3LWRlg1g4aH8ahjCdVpKa22nvBbEWLZYsm+XjLaijpiHwhOvn4uUE5PAA" +
      "AACl8bvjAAHHA/4IAAAtsLLgPjANiwIAAAAAAVla",
  },
  "xz, SHA-256": {
    format: "xz",
    made: "xz -C sha256",
    base64:
      "/Td6WFoAAArh+wyhAgAhARYAAAB0L+Wj4AR9AYRdAC0ZSkcRd8OgirZWs0Ygggf25P8Z6ss4UZS3r21oy2S0JlQj" +
      "iF4z7AvBoa6/FcL4QBcGuDhpWBZsdD3+s8ihBJI27t7hvKcxcqO42PUXBJBT5B5QG0v4cgUducnHORBIB8xvTxf+" +
      "KwpEsQZA/Bw0eReh814PiTz1y9XazDVK+4qOpcO9KNW8B0z8UIZsfCV5vbTpR+t/4lnt83lra29K/fF6MFHugOII" +
      "wIGb4To0rE64wOlmNS+KizH4cPLt7W6/wLOhnbqJZQaztGesyxBmOa8lP4KQM5JKdahuee2iTKcAdchq8KsTWLPG" +
      "NEG7ruszABSHHsMMXaovMzmmUMtsZLCZSjOzaCEXh0lGVvgdEHLtGbEywjlsm9gQYXVgawYRDwPBzajDC4ljCEJO" +
      "es18Xai7CZt+v+11gWRJ6iqyMbeCqAerw547CkUkVCBO65PJwIZd3T+wyDbuRO0fcxh/P1GwLkuby2WMo2E4yqI+" +
      "GmAx6nkbaVLY79LyFMOyexUTQRdhDwAAiydVSw2VChNvR9J17hfKrPjTaYjObZyvR8mOfgAhVOQAAbgD/ggAADkP" +
      "xhq26d8cAgAAAAAKWVo=",
  },
  lzma: {
    format: "lzma",
    made: "xz --format=lzma --lzma1=dict=64KiB",
    base64:
      "XQAAAQD//////////wAtGUpHEXfDoIq2VrNGIIIH9uT/GerLOFGUt69taMtktCZUI4heM+wLwaGuvxXC+EAXBrg4" +
      "aVgWbHQ9/rPIoQSSNu7e4bynMXKjuNj1FwSQU+QeUBtL+HIFHbnJxzkQSAfMb08X/isKRLEGQPwcNHkXofNeD4k8" +
      "9cvV2sw1SvuKjqXDvSjVvAdM/FCGbHwleb206Ufrf+JZ7fN5a2tvSv3xejBR7oDiCMCBm+E6NKxOuMDpZjUviosx" +
      "+HDy7e1uv8CzoZ26iWUGs7RnrMsQZjmvJT+CkDOSSnWobnntokynAHXIavCrE1izxjRBu67rMwAUhx7DDF2qLzM5" +
      "plDLbGSwmUozs2ghF4dJRlb4HRBy7RmxMsI5bJvYEGF1YGsGEQ8Dwc2owwuJYwhCTnrNfF2ouwmbfr/tdYFkSeoq" +
      "sjG3gqgHq8OeOwpFJFQgTuuTycCGXd0/sMg27kTtH3MYfz9RsC5Lm8tljKNhOMqiPhpgMep5G2lS2O/S8hTDsnsV" +
      "E0EYK0TH//+jtkAA",
  },
  bzip2: {
    format: "bzip2",
    made: "bzip2 -9",
    base64:
      "QlpoOTFBWSZTWQvdmnEAAIx/////////////////////////////////////////////wAGxQhDUpIGJo0ZGhkGh" +
      "/lJpMjTE0aGg0BkwhpowgyNGQaBkBoAxAAZBkZMgyZDTCNNGhpoGjE0wAaAA2kAAAT1BJUlBiaAAAAGQ2poaeUaG" +
      "aJ6gxBibUNAaBoZA0D1AaAAAAAA0yGgAAAAGgAAAAAAAACTAATAAEwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" +
      "AAASYACYAAmAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAH6bslRQTA/MIT+2ICBq7cdqxWafWittIKDH2EK56" +
      "AVer8KQ0PYIgcWGGsRYxxE2SJstmLO+gogTkUYKLE5FGijhMhW23EWW+4XEdiMjWbW5ExZsTO53QZCupdo6cF3vF" +
      "5vVKYvY5pdAoLyxfL7fr+YDAx+CHMHNLzueDO7x+egogE6I6XT6nVHW6/Y7Jj3aN23oGewoEINr3O73u+HzBIyGd" +
      "zxnzQaHRPLDqLRjYTUT+JoJ60mlepCCE3Fph+E2FLhQIocVHFItxSTuLTkALUE7FqZNkKeC1QwLVmsmwnzWugpUL" +
      "XE1E+a82EtE7goMTgWxlYoUU5FshwLZ7Taugtsbd1FuNy03RuxrvN613xv+BweEcPicWEONjAXHZ8iUKbyeUz5fM" +
      "Obzuf0CYmZoH5sTh+dnhPqx5DQUNEKOkpRTCnqDVIqgarRHHzyMQlZWiur7CxFkLMtpai2Met7i5F1d3l6JO+v0g" +
      "BCpAlF88sWXExMzU2Jydnp8IaDK0IogWj+haSlFNT1FSKqrRApwRmrK0GrhX8OHAJYCxGmAJZWeXAJaBHao1b0g4" +
      "ILZjAJbq9wEIubq7F5e3xwxd+DkH+RAoBECRKAJnAX/F3JFOFCQC92acQA==",
  },
  lzo: {
    format: "lzo",
    made: "lzop -9",
    base64:
      "iUxaTwANChoKEEAgoAlAAwkDAAANAACBpGsDSt0AAAAAADbMBDAAAAR+AAABsBt7krg+WmVyb3BhZ2UgcmVhZHMg" +
      "d2hhdCBhIGtlcm5lbCBzYXlzIG9mIGl0c2VsZi4gIMCwAAxVSInl6BAgAADp8P///8MghDgAAPtIDdKXXCHmq49U" +
      "Gd6jaC3y1ptgJeqvdDkd4qdsMfa7gGQp7rN4PQLHq3A1+r+ESQ7yt3xBBsuQVTn+w4hNEtecgEUKz5RZHuPHjFEW" +
      "26BlKg7TmF0i56xxVRrfpGku87icYSbrsHU6/+OobTL3vIFGKu+0eT4DyI1xNvvAhUoP1Lh9QgfMkVYb/8SJThPY" +
      "nWJGC9CVWh/kqY1SF9yhZivw1JleI+itcjcb4KVqL/S5fmIn7LF2OwDFqW4z+L2CRwzwtXo/BMmOUzf8wYZLENWa" +
      "fkMIzZJXHOHFik8U2Z5jKAzRllsg5apvUxjdomcs8baaXyTprnM4/eGmazD1un9EKO2ydzwBxotvNPm+g1AhCrZ7" +
      "QAXKj1QZ/cKHTBFQIQpECc6TWB3ip4tQFdqfUCG2JXA1tiW3fLYl/sO2JUUKtiWMUbYl05i2JRrftiVhJrYlqG22" +
      "Je+0tiU2+7clfUIAIAALAAARAAAAAAAA",
  },
  lz4: {
    format: "lz4",
    made: "lz4 -l -9",
    base64:
      "AiFMGMABAAD/Hlplcm9wYWdlIHJlYWRzIHdoYXQgYSBrZXJuZWwgc2F5cyBvZiBpdHNlbGYuIC0Azv8AVUiJ5egQ" +
      "IAAA6fD////DDwCS8v8iSA3Sl1wh5quPVBneo2gt8tabYCXqr3Q5HeKnbDH2u4BkKe6zeD0Cx6twNfq/hEkO8rd8" +
      "QQbLkFU5/sOITRLXnIBFCs+UWR7jx4xRFtugZSoO05hdIuescVUa36RpLvO4nGEm67B1Ov/jqG0y97yBRirvtHk+" +
      "A8iNcTb7wIVKD9S4fUIHzJFWG//EiU4T2J1iRgvQlVof5KmNUhfcoWYr8NSZXiPorXI3G+Clai/0uX5iJ+yxdjsA" +
      "xaluM/i9gkcM8LV6PwTJjlM3/MGGSxDVmn5DCM2SVxzhxYpPFNmeYygM0ZZbIOWqb1MY3aJnLPG2ml8k6a5zOP3h" +
      "pmsw9bp/RCjtsnc8AcaLbzT5voNIDdK2e0AFyo9UGf3Ch0wR1ptgRAnOk1gd4qeLUBXan2Qp7i4BInA1LgEit3wu" +
      "ASL+wy4BIkUKLgEijFEuASLTmC4BIhrfLgEiYSYuASKobS4BIu+0LgEiNvsuAT99QgABAP8UUAAAAAAA",
  },
  zstd: {
    format: "zstd",
    made: "zstd -19 --check",
    base64:
      "KLUv/WR+A2UMAOQVWmVyb3BhZ2UgcmVhZHMgd2hhdCBhIGtlcm5lbCBzYXlzIG9mIGl0c2VsZi4gVUiJ5egQIAAA" +
      "6fD////DSA3Sl1wh5quPVBneo2gt8tabYCXqr3Q5HeKnbDH2u4BkKe6zeD0Cx6twNfq/hEkO8rd8QQbLkFU5/sOI" +
      "TRLXnIBFCs+UWR7jx4xRFtugZSoO05hdIuescVUa36RpLvO4nGEm67B1Ov/jqG0y97yBRirvtHk+A8iNcTb7wIVK" +
      "D9S4fUIHzJFWG//EiU4T2J1iRgvQlVof5KmNUhfcoWYr8NSZXiPorXI3G+Clai/0uX5iJ+yxdjsAxaluM/i9gkcM" +
      "8LV6PwTJjlM3/MGGSxDVmn5DCM2SVxzhxYpPFNmeYygM0ZZbIOWqb1MY3aJnLPG2ml8k6a5zOP3hpmsw9bp/RCjt" +
      "snc8AcaLbzT5voO2e0AFyv3Ch0wRRAnOk1iLUBXanwAgqBFPmHnXsxzAg0LWMQZy/v//pwMoZP3vr7u1Y/7M8GyA" +
      "SF1FQjLVC/39B7XooJg=",
  },
  "zstd, no check": {
    format: "zstd",
    made: "zstd -19 --ultra --long=27 --no-check < FILE",
    base64:
      "KLUv/QCIZQwA5BVaZXJvcGFnZSByZWFkcyB3aGF0IGEga2VybmVsIHNheXMgb2YgaXRzZWxmLiBVSInl6BAgAADp" +
      "8P///8NIDdKXXCHmq49UGd6jaC3y1ptgJeqvdDkd4qdsMfa7gGQp7rN4PQLHq3A1+r+ESQ7yt3xBBsuQVTn+w4hN" +
      "EtecgEUKz5RZHuPHjFEW26BlKg7TmF0i56xxVRrfpGku87icYSbrsHU6/+OobTL3vIFGKu+0eT4DyI1xNvvAhUoP" +
      "1Lh9QgfMkVYb/8SJThPYnWJGC9CVWh/kqY1SF9yhZivw1JleI+itcjcb4KVqL/S5fmIn7LF2OwDFqW4z+L2CRwzw" +
      "tXo/BMmOUzf8wYZLENWafkMIzZJXHOHFik8U2Z5jKAzRllsg5apvUxjdomcs8baaXyTprnM4/eGmazD1un9EKO2y" +
      "dzwBxotvNPm+g7Z7QAXK/cKHTBFECc6TWItQFdqfACCoEU+YedezHMCDQtYxBnL+//+nAyhk/e+vu7Vj/szwbIBI" +
      "XUVCMtUL/f0H",
  },
  gzip: {
    format: "gzip",
    made: "gzip -9n",
    base64:
      "H4sIAAAAAAACA4tKLcovSExPVShKTUwpVijPSCxRSFTITi3KS81RKE6sLFbIT1PILClOzUnTU4ga7opDPTqfvhBQ" +
      "YGB4+eH///+HhwTXg/fS9BjFZ6v7QyTvLc7Q/XRtdoLqq/UllrKPlucYftvdkKL5bnOFLdPx1QWmv/a3ePJ92l7j" +
      "yHZ6Qqjlv8MdvkLX5zS4cp2fEin3+HhPoNjtBalafJdnxCo9X1MYKnV/Sabe5x1zEtVebyi1+v94Ra7R9z2Nblrv" +
      "t1TaMZ/oLTT7faDVi//Kjlon9jMTw6T/H+n0E74xN8mN+8LUKPknK3uDxO8sTNP+cGVmnPKLtUXm0g+WZul/2VmX" +
      "pP5mY5k1w9GVecY/9ja583zYWmXPcrIv2PzPwTZvgauz6pw5zk4Kl3l4tMtf5Oa8ZA2ei9OiFZ6uyg+WuLsoXefj" +
      "tlnxKi/XFVv8fbgs2+DrrnoXjbebym0Yj3Xnm/zc1wwMjG3VDqyngIHx91C7jyAwMFw4z02OAAZGd4DorfnAwICE" +
      "VoEpJLS210BC699hSGi5ckFCqycQElqXZ0BCS+o+JLQS1SChtSIXElrvt0BCy+w3JLRqnRhGAdEAAKXxu+N+BAAA",
  },
};

/** A stream's bytes. */
export function stream(name: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(streams[name]?.base64 ?? ""), (c) => c.charCodeAt(0));
}
