import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { lintProgram } from '../../../compiler/lint/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'patc-lint-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Findings of a kernel body, as line: message. */
function lint(body: string): string[] {
  const file = join(folder, 'kernel.ts');
  writeFileSync(
    file,
    `import { kernel, tune, type Tile } from 'patc';\nkernel('k', { tile: { m: tune(16, 32) } }, (k, { m }) => {\n${body}\n});\n`,
  );
  return lintProgram([file]).map((d) => {
    expect(d.code).toBe('PAT0103');
    expect(d.span!.file).toBe(file);
    return `${d.span!.line - 2}:${d.span!.column} ${d.message}`;
  });
}

it('finds every kind of condition on a traced value', () => {
  const found = lint(`const keep = k.iota(m).lt(4);
if (keep) k.iota(2);
while (k.programId(0).eq(1)) break;
for (let i = 0; keep.not(); i++) break;
const a = keep ? 1 : 2;
const b = keep && a;
const c = !keep || b;
const d = k.iota(4) === keep;
const e = k.programId(0) != 3;
switch (keep) { default: }
Boolean(keep);
let f = k.iota(m); f ||= keep;
do {} while ((keep));
const g = (x: Tile | Tile<'bool'>) => (x ? 1 : 2);
const h = <T extends Tile>(x: T) => x && 1;
const n = k.iota(4) < 3;`);
  expect(found).toMatchInlineSnapshot(`
    [
      "2:5 \`keep\` is a traced value used as the condition of \`if\`",
      "3:8 \`k.programId(0).eq(1)\` is a traced value used as the condition of a JavaScript loop",
      "4:17 \`keep.not()\` is a traced value used as the condition of \`for\`",
      "5:11 \`keep\` is a traced value used as the condition of \`?:\`",
      "6:11 \`keep\` is a traced value to the left of \`&&\`",
      "7:12 \`keep\` is a traced value negated by \`!\`",
      "8:11 \`k.iota(4)\` is a traced value compared by \`===\`, which compares objects and not elements",
      "9:11 \`k.programId(0)\` is a traced value compared by \`!=\`, which compares objects and not elements",
      "10:9 \`keep\` is a traced value used in \`switch\`",
      "11:9 \`keep\` is a traced value converted by Boolean()",
      "12:20 \`f\` is a traced value to the left of \`||=\`",
      "13:15 \`keep\` is a traced value used as the condition of a JavaScript loop",
      "14:40 \`x\` is a traced value used as the condition of \`?:\`",
      "15:37 \`x\` is a traced value to the left of \`&&\`",
      "16:11 \`k.iota(4)\` is a traced value in JavaScript's \`<\`",
    ]
  `);
});

it('is silent about conditions on numbers, and on whether a tile is there', () => {
  const found = lint(`const load = (mask?: Tile<'bool'>, n = m) => {
  if (mask) return mask.not();
  const other = mask && 1;
  if (mask === undefined || n === 16) return mask ?? k.const(true, 'bool');
  return mask !== null && !n ? other : undefined;
};
load();
if (m === 16) k.iota(m + 1);
k.when(k.programId(0).eq(0), () => {});`);
  expect(found).toEqual([]);
});

it('is silent about the shipped examples', () => {
  const plain = ['softmax', 'rmsnorm', 'gemm', 'prefill', 'reduction'].map((name) => `${name}/kernel`);
  const kernels = [...plain, 'pat/forward', 'pat/merge'];
  const examples = kernels.map((name) => `examples/${name}.ts`);
  expect(lintProgram(examples)).toEqual([]);
});

it('says when a file is not there', () => {
  expect(() => lintProgram(['no-such-kernel.ts'])).toThrow('PAT0604');
});
