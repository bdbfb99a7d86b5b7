// Version x kind of file: the largest difference of an output, of the tensor's largest value. Fails where a file did.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const entries = JSON.parse(readFileSync(join(process.argv[2], 'manifest.json')));
const results = readFileSync(process.argv[3], 'utf8').trim().split('\n').map(line => JSON.parse(line));
const kinds = [...new Set(entries.map(entry => entry.kind))];
const text = error => error === undefined ? 'fails' : typeof error === 'string' ? error : error === 0 ? '0' : error.toExponential(1);

console.log(`\n| kind | files |${results.map(({ runtime, version }) => ` ${runtime === 'web' ? 'web ' : ''}${version} |`).join('')}`);
console.log(`|---|---|${results.map(() => '---|').join('')}`);
for (const kind of kinds)
  console.log(`| ${kind} | ${entries.filter(entry => entry.kind === kind).length} |${results.map(({ kinds }) => ` ${text(kinds[kind]?.[1])} |`).join('')}`);
const problems = results.flatMap(({ runtime, version, problems }) => problems.map(problem => `${runtime} ${version}, ${problem}`));
for (const problem of problems) console.error(problem);
process.exit(problems.length ? 1 : 0);
