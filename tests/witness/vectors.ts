/**
 * Asks the processor that this runs on what instructions of MMX and SSE do, and
 * keeps its answers for the tests.
 *
 *     deno run -P=tools tests/witness/vectors.ts          says where the evaluator differs
 *     deno run -P=tools tests/witness/vectors.ts --keep   into testdata/processor
 *
 * How they are run is in native.ts.
 *
 * @module
 */

import { Decoder } from "../../emu/cpu/decode.ts";
import { evaluate } from "../../emu/cpu/evaluate.ts";
import { copyVectors, type EvaluatedVectors } from "../../emu/cpu/evaluate_vector.ts";
import { stateOf } from "../../testdata/processor_cases.ts";
import {
  type VectorAnswer,
  VectorAnswerWriter,
  vectorCases,
  vectorDifferences,
  vectorModes,
  vectorTurns,
} from "../../testdata/vector_cases.ts";
import { floatImage, prepare } from "./native.ts";

/** Registers as FXSAVE stores them: x87's from TOP on. */
function imageOf(vectors: EvaluatedVectors): Uint8Array<ArrayBuffer> {
  const image = floatImage();
  const view = new DataView(image.buffer);
  view.setUint16(2, vectors.top << 11, true);
  view.setUint8(4, vectors.tags);
  view.setUint32(24, vectors.mxcsr, true);
  for (let n = 0; n < 8; n++) {
    const physical = vectors.top + n & 7;
    view.setBigUint64(32 + 16 * n, vectors.significands[physical] ?? 0n, true);
    view.setUint16(40 + 16 * n, vectors.exponents[physical] ?? 0, true);
  }
  vectors.xmm.forEach((word, n) => view.setBigUint64(160 + 8 * n, word, true));
  return image;
}

function vectorsOf(image: Uint8Array<ArrayBuffer>): EvaluatedVectors {
  const view = new DataView(image.buffer);
  const top = view.getUint16(2, true) >> 11 & 7;
  const from = (physical: number) => 32 + 16 * (physical - top & 7);
  const words = Array.from({ length: 32 }, (_, n) => view.getBigUint64(160 + 8 * n, true));
  const eight = [0, 1, 2, 3, 4, 5, 6, 7];
  return {
    xmm: BigUint64Array.from(words),
    significands: BigUint64Array.from(eight, (n) => view.getBigUint64(from(n), true)),
    exponents: Uint16Array.from(eight, (n) => view.getUint16(from(n) + 8, true)),
    ...{ top, tags: view.getUint8(4), mxcsr: view.getUint32(24, true) },
  };
}

if (import.meta.main) {
  const ask = prepare();
  const keeps = Deno.args.includes("--keep");
  const only = Deno.args.find((word) => !word.startsWith("--"));
  for (const mode of vectorModes) {
    const decoder = new Decoder(mode);
    const writer = new VectorAnswerWriter();
    const counts = new Map<string, number>();
    const differing = new Map<string, string[]>();
    for (const one of vectorCases(mode, vectorTurns[mode])) {
      if (only !== undefined && one.name !== only) continue;
      const vectors = copyVectors(one.vectors);
      const state = { ...stateOf(one, mode), vectors };
      const { fault } = evaluate(state, decoder);
      if (fault !== undefined && fault !== "#XM") {
        throw new Error(`${one.name} ${one.bytes.toHex()}: ${fault}`);
      }
      const native = ask(one, mode, imageOf(one.vectors));
      const answer: VectorAnswer = { ...native, vectors: vectorsOf(native.image) };
      writer.add(one, answer);
      counts.set(one.group, (counts.get(one.group) ?? 0) + 1);
      const wrong = vectorDifferences(state, vectors, answer);
      if (native.raised !== (fault === "#XM")) wrong.push(native.raised ? "#XM" : "#XM here");
      if (wrong.length === 0) continue;
      const text = decoder.forms[one.form]?.row.text ?? "";
      const lines = differing.get(text) ?? [];
      differing.set(text, lines);
      lines.push(
        `${one.bytes.toHex()} mxcsr ${one.vectors.mxcsr.toString(16)} ${wrong.join(", ")}`,
      );
    }
    console.log(`${mode}-bit: ${[...counts].map(([group, n]) => `${n} ${group}`).join(", ")}`);
    for (const [key, lines] of differing) {
      console.log(`  ${lines.length} ${key}\n    ${lines.slice(0, only ? 9 : 1).join("\n    ")}`);
    }
    if (!keeps) continue;
    const stream = new Blob([writer.bytes()]).stream().pipeThrough(new CompressionStream("gzip"));
    const path = new URL(`../../testdata/processor/vectors${mode}.bin.gz`, import.meta.url);
    await Deno.writeFile(path, new Uint8Array(await new Response(stream).arrayBuffer()));
  }
}
