/**
 * Small files that other programs made, with nothing in them but a few made
 * words: u-boot-tools 2023.01, dtc 1.6.1, Android's mkbootimg of release 29,
 * sgdisk 1.0.9, sfdisk 2.38, xorriso 1.5.4.
 *
 * The kernel is the text "kernel bytes here", the RAM disk "ramdisk", the device
 * tree in Android images "dtbdtbdtb"; all were made at 2001-09-09 01:46:40 UTC as
 * far as their makers can be told so.
 *
 * @module
 */

import { gunzipSync } from "fflate";

/** A file and how it was made. */
interface Specimen {
  /** The command that made it. */
  readonly made: string;
  /** Its size in bytes, where only its start is kept. */
  readonly size?: number;
  /** The file in gzip in base64. */
  readonly gzip: string;
}

const specimens = {
  uimage: {
    made: "mkimage -A x86 -O linux -T kernel -C gzip -a 0x100000 -e 0x100400 -n 'Made kernel'",
    gzip: "H4sIAAAAAAACA1NnlQz7H29ww3rWKQYgEGQQAJICLAw7Nx3czcrMxOibmJKqkJ1alJeaw4ANQKQUkipLUosV" +
      "MlKLUgF7fswyUQAAAA==",
  },
  "uimage-multi": {
    made: "mkimage -A arm64 -O linux -T multi -C none -n 'Two files' -d kernel:ramdisk",
    gzip: "H4sIAAAAAAACA1NnlQy79uuPpfWsUwxAoM4ABTv/V51iFWNhCCnPV0jLzEktZsAJBIGYHcTITi3KS81RSKos" +
      "SS1WyEgtSgWKFSXmpmQWZwMA21xLg2cAAAA=",
  },
  dtb: {
    made: "dtc -O dtb",
    gzip: "H4sIAAAAAAACA22Qz0rEMBDGp66oiwi74AMUvSi4kEUqeBB62IMXT+JZ0mSshfxZk6zYt/MRfBFfQZzYZK1g" +
      "4McM32S+meTj6OsToHgHgFuKbxTPiDkxg+FEncFIAKjhn1OkOCEOY3LHJZaN5U5u9WNiT5N+Meg/qbci13fT" +
      "7OhViGfr0fzpLYU13iq8CaG/Z+XLpsMQ6zvxvkZtXV+z0R77xPmgb7UDooKU5N60Q7HhLtRLxtivxzTubPzy" +
      "qqoYH3knn1l++iTVrkezVzA/uVw9POU5mam2EhUIq9c8dI1COOVSOvR+IVApD421gbvWg8TXTuBj6NcIDlto" +
      "unaBRnbc0OcJ+AZATHQ+wAEAAA==",
  },
  fit: {
    made: "mkimage -f",
    gzip: "H4sIAAAAAAACA+1SMUvDQBR+adVaqaCb0CUgghQ7GLVUBKcidHAQHHTSa3Jtzia5cHeRtvo7HAQHwb1QcFBB" +
      "cHFwcvA3uLm6KeZsEtMo4ujQB4+8++77Xt59d4+T7y8AmSkAKAOkc/533s9pPyUmwwVIPcH3UIJv2s8RP/fX" +
      "Th/CdVYWm8jA6kZ1O8HLBVqF2KiBeb9XEzMHW8XFGDcjiz4eYXKufB9Ta22BuWpihgc1akIjsblWubRXWo6w" +
      "MT8LFnG81pd21M+iQx2cmHdVGVyvB2vFRNwMJg73Dq56dzexf1R0pi9pfX4q0miRRpWazhm5WHg7uT64t2/v" +
      "d0W3V7t0tMfno2Ot0K2kXmdi56hwE2krpajfZ0+GbIPwZmie5I7LIsDjPuQTmOSpP/D+7FejQ1z4xQ9yztEv" +
      "fkRn0KlTJw2PIUGowwfurir3gr5KrA5ngBqlInZn8u1t/fCeJvzcSXgVnyFrYK4z4soJYBYZBsOcF3VsWRwM" +
      "JBCItosBMd0EykGntisJkmxRZAB2BGsDshoUDFxHniXCxxv6K4iNuUC2C4fI8jAMYxjD+F/xAQe4/LEQBwAA",
  },
  "fit-external": {
    made: "mkimage -E -f: the data stands behind the tree",
    gzip: "H4sIAAAAAAACA5VSzUsbQRR/G6upRUGhB48LRSjBHFw1RAqeQiEHD0IP9aST3ZfsxN2dZWYiSfTcP6GHQqGF" +
      "3gNCD21B8OLBU/6Enrx59dbijPvhZA2CAz/ex7z35s3vvfHi/xuAmW8AUFdyRcm3CssKS5CcTwClv/D4WKmc" +
      "UXihcPjuy1Vmz2tll3hov29+KMQtpLkWDUkHRVLrCHmEQXW9EHua9pLZsXFf1kqSN+Gzp/hW+/XaQW0z980p" +
      "VAIa9foP9WYVqhGLsNDDtjVp76S25RPhpx1nd91fZxd/jDcaLnc3nCS+lOc4eY6tc4Zf6Y+1f59/dy/D88t9" +
      "OTpr/Yyc8fXJqVMZNUq3K8Y/GsInzlYtr3dfk5PQo+IoI8/krlzg7nVqv9SBaR4YPrvgexZ3nSHN5jOVG/pd" +
      "kCe4yf/jsqhNOz1OJGWRmJhjU9+ldS1Dz3qAFmPSmJ/ew70pu/VK4WOBN7OHeQ+Fy2msO4A3xPM4ClF1MQgE" +
      "eEQSkIMYgXDXBybAZWGsA3RwwIgHGEk+ABJ0GHjYJr1AZoua8StpiEKSMIZjEvTwvmiVtdsCZaILOsR8v+3W" +
      "QKKwfeRozO0OsZKgBbwDAAA=",
  },
  "android-0": {
    made: "mkbootimg --header_version 0",
    gzip: "H4sIAAAAAAACA3P0cwny93RRFGQAggYGAXYGMBBkgAFGBgEGDggzmZFBIjcxJZUBCSTn5xXn56TalpRUBhsw" +
      "jIKRBr6d5Uut7OdoVn51WHaV9OSJSaeW7h0NlVEwCkbBKBj8IDu1KC81RyGpsiS1WCEjtSh1NEhGwSgYBaNg" +
      "FIyCYQ+KEnNTMouzRwNiFIyCUTAKRsEoGEEAAK8OBc8AGAAA",
  },
  "android-1": {
    made: "mkbootimg --header_version 1",
    gzip: "H4sIAAAAAAACA3P0cwny93RRFGQAggYGAXYGMBBkgAFGBgEGDhDFwJDMyCCRm5iSyoAEkvPzivNzUm1LSiqD" +
      "DRhGwUgDLuuOiPLP2j9L5O0FlxivnTFaFvJ/RkNlFIyCUYAOCthGw2CwgezUorzUHIWkypLUYoWM1KLU0SAZ" +
      "BaNgFIyCUTAKhj0oSsxNySzOHg2IUTAKRsEoGAWjYAQBAMdk/NMAGAAA",
  },
  "android-2": {
    made: "mkbootimg --header_version 2 --dtb",
    gzip: "H4sIAAAAAAACA+3QOQrCUBSF4RsLhy4PLCxjb+ECtBDS2ETQFWS4YMiEL88ioOAWdC8R3Iidpa0ILkBDRBBX" +
      "EMz5OMWp/4llzmdTsy+osCO9RSVBHxrp1CZqFNfVqBfZHtMXN4nTJOSxUtliSFA3l9HK31+fA2v7uOXn42md" +
      "H7qoAgC/Nk2iTvnuAjWqIWAZc2g4meLUWLJkJAEAAPh70o48Pw0QAgAAoEY85byHFAAAALXxAoSd02oAIAAA",
  },
  "android-3": {
    made: "mkbootimg --header_version 3",
    gzip: "H4sIAAAAAAACA+3QOwrCQABF0RFBazvLuAMXoIWQxkZBV+BnQElMYGaa7F6tXYHhHHjV6+7uUJ+O+3q1CCHM" +
      "P7tNwnIzCz+m36/vct/GbSnDeR0AAACAf9HE1MW2ug4l5uoRU5QEAAAARiddXvdnboQAAACAEXsDjwQV1QAw" +
      "AAA=",
  },
  "android-vendor-3": {
    made: "mkbootimg --vendor_boot --header_version 3",
    gzip: "H4sIAAAAAAACA+3WMQ6DMAyF4aAOtBs5CjtdUOdGQog9yAwRopFoDtAjcwQsWHoFlP+TbVke3+Th/epa5/qb" +
      "UXftn6l02lKH/8gag4wxpmdtAABAFgpTLV6m/1OjP8Lj2DZLQAAAXNPqFwnfmSAAAMiIpPEsogAAIBs7/QOp" +
      "iwAgAAA=",
  },
  gpt: {
    made: "sgdisk on 4 MiB, its first 20 KiB",
    size: 4194304,
    gzip: "H4sIAAAAAAACA+3SL0tDURQA8PNess19gsmzyOqiThA2h1iGuuS+gEmYFoMgahY/gtmgWYtYhNWlJZPZbNOn" +
      "3IWtCQYHv9/lwv13zg3nRDDP8ng/zyMrV5+130f3btubW0vdjZ29KHP0y5Pltfr1902WXkyyFmn/mvbVUlE0" +
      "Gq1W70ee7s/SfNi/e1Kd/2/lqP5c+xhVH7fjZrg+XJ2paxYLqQ8q03Ht2I3uH/x/33ypXFwOOlcnzYNx5/Rt" +
      "5v88Fqf7bmIQh+U4VkAAAAAAAAAAAAAAAAAAAAAAAADmyheosIf7AFAAAA==",
  },
  mbr: {
    made: "sfdisk on 4 MiB, its first 1 KiB",
    size: 4194304,
    gzip: "H4sIAAAAAAACA2NgGAVDEVSEmQgxMDQoKDLwODIyMHAwQLAjE0NzExMDgwADBBMAoatGQ3JkAwDLs2G0AAQA" +
      "AA==",
  },
  iso9660: {
    made: "xorriso -as mkisofs with a BIOS and an EFI boot image, its first 106 KiB",
    size: 415744,
    gzip: "H4sIAAAAAAACA+3d32/bRADA8XOHRJoNpGlaxxAPty5IPGyWnaaTqr7gOM56IrEt/6gyXsqK0i5ibaVRJuBh" +
      "YtIkeOV/2FP/BST+AcR/QrU/Ac69mDYtTRmbStt8P05y9v3w2edUzvnSWAicXz9MWeL3m1fEp3r+j6nXL5/v" +
      "0IYAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAYFh+y3FcS3RUmPfk8bpe" +
      "K1hRaXRcerm+30aCMfXqR/EUlYqomqhqbT/54+JlVk/CzFSKoCKeXZ65tijFVFleTrhelCT6oNx17Xm7IetO" +
      "3bUd155zbHfe0Yf1juyopk5v5klo8pQx7fTA8n6yxDh13abOgp7cxr2GbmBxJMI55GgEb9pJx0kHZ4c5/wcd" +
      "mUWJyiKZxoGv2sr3MhWF/3otLg0JAMD58eew/w8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" +
      "AAAAAAAAAI5nDe//11Fh3htz0+qu1wpWVBqddFPrX0aCMfXqR/EUlYqomqjqB/vJN4uXWTFjlmZEpQgq4tnl" +
      "mWuLUkyV5Sf9VuK9KEn0Qbnr2vN2Q9adums7rj3n2O68ow/rHdlRTZ3ezJPQ5Clj2umB5f1kbs4+Vl23qbOg" +
      "J7dxr6EbWByJcA45GsGbdtJx0sGZwf1/AQCYPC90L1uYzvYxfew0ftf69ZWIezVr1yuyeLvW3334UVn7Q+v9" +
      "YfnRwA8+sm6bTLfL3Ltl8MVJ22C9WeXfirrJUr9uwuvDhOF1iGozijK7qcJFd283Xz4vUp6/fP2awu57lljd" +
      "2tq2Vwebul7XFHDL/epPT1v2J6P1+l42rLdm6q2NrXe4itFgv94vH26LbTFnCsxdMuGl0f2dDtrKVt37i+6b" +
      "7u0VS/TXBvZgY/2paJjsjasmvHqojZe7xSWmz+230Ma61qcbjweb33zP3y8A/FdBsmtVsx+tJFHxiruw4HrZ" +
      "UiCTyP9MJqp1P5AqzILEX/JCPR8nURb5UaeYWVatIJVpHsdRksl2lMg4SlVPtlUnkOmDNAu6Mg26XpgpP407" +
      "gZcG0o/CzPMz2VKpL+O82VHpUpDsFU7jwFdtpU+GKgplGuWJH9hSryE4kFFXqVfXVsVsqDdCdb3kgVyOOnk3" +
      "kHpzfL0TWWRWWNalQr3U3VutzeEGAGDY8Zr9p+4XAAC40Od/UVx35wMAAAAT5MWJ37F/a+P/N0ymG2XuA+P/" +
      "J2zDG4//l98vOO3x/1umwK3THv8vv2pxmuP/NZO9xvg/AJwHjP8DADB5rL2+N5f/AQCYrPO/KK678wEAAAAA" +
      "AAAAAAAAAAAAAAAAAAAAAAAAAID/0bh//N/J852f9ubeKe+ge8TPr8b/dEBZfo6mBgDgzCh+NF4ONh6u9+XW" +
      "mtzc2n402FynWQAAuND6awMaAQCACfNV/8lm/7Fc/W67/7V81H/Sp0kAALjw/gISurRyAKgBAA==",
  },
} as const satisfies Record<string, Specimen>;

/** Names of the files. */
export type SpecimenName = keyof typeof specimens;

/** All names. */
export const specimenNames: readonly SpecimenName[] = Object.keys(specimens) as SpecimenName[];

/** A file's bytes and its size, which is more than its bytes where only its start is kept. */
export function specimen(
  name: SpecimenName,
): { readonly bytes: Uint8Array; readonly size: number } {
  const { gzip, ...rest }: Specimen = specimens[name];
  const bytes = gunzipSync(Uint8Array.from(atob(gzip), (c) => c.charCodeAt(0)));
  return { bytes, size: rest.size ?? bytes.length };
}
