// Runs the files of a folder on one OnnxRuntime and compares with the outputs in its manifest; prints one line of JSON.
//   node run.mjs FOLDER node PACKAGE-FOLDER | web FOLDER-OF-ort.wasm.min.mjs
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const TOLERANCE = 1e-5;   // of a tensor's largest value, or of 1 where that is less
const [folder, runtime, where] = process.argv.slice(2);
const arrays = { float: Float32Array, int64: BigInt64Array, bool: Uint8Array };
const types = { float: 'float32', int64: 'int64', bool: 'bool' };

let ort;
if (runtime === 'web') {
  ort = await import(pathToFileURL(resolve(where, 'ort.wasm.min.mjs')).href);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = pathToFileURL(resolve(where)).href + '/';
} else {
  ort = createRequire(pathToFileURL(resolve(where, 'package.json')))('onnxruntime-node');
}
ort.env.logLevel = 'error';
const version = runtime === 'web' ? ort.env.versions.web : ort.env.versions.node;

function decode({ type, data }) {
  const bytes = Buffer.from(data, 'base64');
  return new arrays[type](bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}
function difference(expected, found) {
  if (expected.length !== found.length) return Infinity;
  let scale = 1, largest = 0;
  for (const value of expected) if (Number.isFinite(Number(value))) scale = Math.max(scale, Math.abs(Number(value)));
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [Number(expected[i]), Number(found[i])];
    if (Object.is(a, b) || a === b) continue;
    const d = Math.abs(a - b) / scale;
    largest = Math.max(largest, Number.isNaN(d) ? Infinity : d);
  }
  return largest;
}

const kinds = {}, problems = [];
for (const entry of JSON.parse(readFileSync(join(folder, 'manifest.json')))) {
  const kind = kinds[entry.kind] ??= { files: 0, largest: 0 };
  kind.files++;
  try {
    const session = await ort.InferenceSession.create(new Uint8Array(readFileSync(join(folder, entry.file))), { logSeverityLevel: 3, intraOpNumThreads: 1, interOpNumThreads: 1 });
    for (const { inputs, outputs } of entry.cases) {
      const feeds = Object.fromEntries(inputs.map(input => [input.name, new ort.Tensor(types[input.type], decode(input), input.dims)]));
      const found = await session.run(feeds);
      for (const output of outputs) {
        const tensor = found[output.name];
        if (!tensor || tensor.type !== types[output.type] || tensor.dims.join() !== output.dims.join())
          throw new Error(`output ${output.name} is ${tensor?.type} [${tensor?.dims}], expected ${output.type} [${output.dims}]`);
        const error = difference(decode(output), tensor.data);
        kind.largest = Math.max(kind.largest, error);
        if (!(error <= TOLERANCE)) problems.push(`${entry.file}: output ${output.name} of ${output.dims[0]} rows differs by ${error.toExponential(1)}`);
      }
    }
    await session.release();
  } catch (error) {
    kind.largest = Infinity;
    problems.push(`${entry.file}: ${error.message}`);
  }
}
console.log(JSON.stringify({ runtime, version, kinds: Object.fromEntries(Object.entries(kinds).map(([name, { files, largest }]) => [name, [files, largest === Infinity ? 'fails' : largest]])), problems }));
process.exit(0);
