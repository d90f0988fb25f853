import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { PatcError } from '../../../compiler/diagnostics/error.ts';
import { parseKernel } from '../../../compiler/ir/parse.ts';
import { printKernel } from '../../../compiler/ir/print.ts';
import { walk } from '../../../compiler/ir/rewrite.ts';
import { showSpan } from '../../../compiler/ir/span.ts';
import type { Kernel } from '../../../compiler/ir/nodes.ts';
import { runPasses } from '../../../compiler/passes/index.ts';
import { linearGelu } from '../../../examples/gemm/kernel.ts';
import { forward } from '../../../examples/pat/forward.ts';
import { merge } from '../../../examples/pat/merge.ts';
import { rmsNorm } from '../../../examples/rmsnorm/kernel.ts';
import { prefill } from '../../../examples/prefill/kernel.ts';
import { pieceSums, totalSum } from '../../../examples/reduction/kernel.ts';
import { rowSoftmax as softmax } from '../../../examples/softmax/kernel.ts';
import { everything, rowSoftmax } from '../../dsl/kernels.ts';
import { randomPrograms } from '../../support/random-program.ts';

/** Every syntax error of a text, as line:column message. */
function errorsOf(text: string): string[] {
  try {
    parseKernel(text, 'k.tile');
    return [];
  } catch (error) {
    if (!(error instanceof PatcError)) throw error;
    return error.diagnostics.map(
      (d) => `${d.span!.line}:${d.span!.column} ${d.message}${d.help ? ` (${d.help})` : ''}`,
    );
  }
}

describe('textual Tile IR', () => {
  it.each([true, false])('prints what it parsed (locations: %s)', (locations) => {
    for (const template of [rowSoftmax, everything]) {
      const text = printKernel(template.trace({}, {}), { locations });
      expect(printKernel(parseKernel(text, 'k.tile'), { locations })).toBe(text);
    }
  });

  it('prints the hint of a load after its mask and what else it reads', () => {
    const text = (hint: string): string => `kernel k {
  input x: f32[8]

  %0 = iota : tile<8xi32>
  %1 = const true : bool
  %2 = broadcast %1 : tile<8xbool>
  %3 = const 2 : f32
  %4 = load x[%0] mask %2 other %3${hint} : tile<8xf32>
}
`;
    const hinted = text(' evict_first %1');
    expect(printKernel(parseKernel(hinted, 'k.tile'), { locations: false })).toBe(hinted);
    expect(errorsOf(text(' evict_first'))).toHaveLength(1);
  });

  it('round-trips 200 random programs with their places', () => {
    fc.assert(
      fc.property(randomPrograms(), ({ kernel }) => {
        const text = printKernel(kernel);
        const again = parseKernel(text, 'k.tile');
        expect(printKernel(again)).toBe(text);
        const places: string[] = [];
        walk(kernel.body, (op) => places.push(JSON.stringify(op.span)));
        walk(again.body, (op) => expect(JSON.stringify(op.span)).toBe(places.shift()));
      }),
      { numRuns: 200, verbose: 1 },
    );
  });

  it('prints what it parsed of every example, as traced and after every pass', () => {
    for (const template of [softmax, rmsNorm, linearGelu, prefill, pieceSums, totalSum, forward, merge]) {
      const check = (kernel: Kernel): void => {
        const text = printKernel(kernel);
        expect(printKernel(parseKernel(text, 'k.tile'))).toBe(text);
      };
      const kernel = template.trace({}, {});
      check(kernel);
      runPasses(kernel, { after: (_, after) => check(after) });
    }
  });

  it('gives ops without a location their place in the text', () => {
    const kernel = parseKernel('kernel k {\n  %a = const 1 : i32\n    %b = add %a, %a : i32 @?\n}', 'k.tile');
    expect(kernel.body.ops.map((op) => showSpan(op.span))).toEqual(['k.tile:2:3', '<unknown>:0:0']);
  });

  it('keeps callers, odd numbers and names that are keywords', () => {
    const text = `kernel load @0:1:1 {
  spec eps = 1e-7, kind = "a \\"b\\""
  tile rows = 2
  scalar n: i32 @0:2:2
  input for: f32[n, 2] strides [2, 1] @0:2:2

  %step = iota : tile<2xi32> @0:3:4<1:5:6<0:7:8
  %0 = const -inf : f32 @?
  %1 = const inf : tile<2xf16> @0:3:4
  %2 = const -0 : f32 @0:3:4
  %3 = const true : bool @0:3:4
  %4 = const 9.999999974752427e-7 : f32 @0:3:4
  %n_1 = load for[%n, %step] : tile<2xf32> @0:3:4
}
files {
  0 = "a.ts"
  1 = "dir with space/\\"b\\".ts"
}
`;
    expect(printKernel(parseKernel(text, 'k.tile'))).toBe(text);
  });

  it('allows comments and an absent else', () => {
    const text = 'kernel k { // c\n %c = const true : bool // d\n // e\n if %c {\n }\n}';
    expect(printKernel(parseKernel(text, 'k.tile'), { locations: false })).toBe(
      'kernel k {\n  %c = const true : bool\n  if %c {\n  }\n}\n',
    );
  });
});

describe('syntax errors', () => {
  const good = printKernel(rowSoftmax.trace({}, {}), { locations: false });

  it('are reported several at a time, each at its place', () => {
    const bad = good
      .replace('mul %0, %1', 'mul %0 %1')
      .replace('sub %t,', 'subb %t,')
      .replace('exp %14 :', 'exp %14')
      .replace('axis 1', 'axis one');
    expect(errorsOf(bad)).toMatchInlineSnapshot(`
      [
        "10:15 expected ':', found \`%1\`",
        "23:28 expected a number, found \`one\`",
        "26:9 expected an op, found \`subb\` (did you mean \`sub\`?)",
        "27:16 expected ':', found \`tile<1x64xf32>\`",
      ]
    `);
  });

  it('name what is not defined, with what was probably meant', () => {
    const bad = good
      .replace('sub %t,', 'sub %q,')
      .replace('store y[', 'store z[')
      .replace('exp %14', 'exp %144');
    expect(errorsOf(bad)).toMatchInlineSnapshot(`
      [
        "26:13 %q is not defined above",
        "27:12 %144 is not defined above (did you mean %14?)",
        "34:9 there is no tensor \`z\`",
      ]
    `);
  });

  it.each([
    ['', 'the end'],
    ['kernel', 'the end'],
    ['kernel k {', 'the end'],
    ['kernel k { }\n}', 'does not belong'],
    ['kernel k {\n %a = const 1 : tile<0xf32>\n}', 'not a type'],
    ['kernel k {\n %a = const 1 : tile<4xf33>\n}', 'not a type'],
    ['kernel k {\n %a = const 1 : i32\n %a = const 1 : i32\n}', 'twice'],
    ['kernel k {\n %a, %b = const 1 : i32\n}', 'one result'],
    ['kernel k {\n %a = const 1 : i32 @3:1:1\n}', 'no file 3'],
    ['kernel k {\n %a = const 1 : i32\n %b = add %a : i32\n}', 'takes 2'],
    ['kernel k {\n tile a = "x"\n}', 'is the string'],
    ['kernel k {\n %a = const # : i32\n}', 'unexpected'],
  ])('of %j', (text, message) => {
    expect(errorsOf(text).join('\n')).toContain(message);
  });

  it.each([
    ['regions nested too deep', `kernel k {\n%c = const true : bool\n${'if %c {\n'.repeat(20000)}`],
    ['a string without an end', `kernel k {\n spec a = "${'\\"'.repeat(200000)}`],
    ['a string without an end', 'kernel k {\n spec a = "b\n}'],
    ['a tile of 10^16 elements', 'kernel k {\n%x = const 1 : tile<99999999x99999999xi32>\n}'],
    ['thousands of errors', `kernel k {\n${'%a = neg %b : f32\n'.repeat(5000)}}`],
    ['a long location', `kernel k {\n%x = const 1 : i32 @${'0:1:1<'.repeat(50000)}0:1:1\n}`],
  ])('are found soon, and are at most fifty: %s', { timeout: 10_000 }, (_, text) => {
    const found = errorsOf(text);
    expect(found.length).toBeGreaterThan(0);
    expect(found.length).toBeLessThanOrEqual(50);
  });

  it('never crash and never hang: mutated and arbitrary text', () => {
    const lines = printKernel(everything.trace({}, {})).split('\n');
    const mutation = fc.record({
      at: fc.nat(lines.length - 1),
      kind: fc.constantFrom('drop', 'swap', 'cut', 'insert'),
      text: fc.oneof(
        fc.string(),
        fc.constantFrom('{', '}', '%x', '= 3', 'yield', 'tile<', '@', ':', 'for %i = %0 to'),
      ),
      column: fc.nat(60),
    });
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), (mutations) => {
        const copy = [...lines];
        for (const { at, kind, text, column } of mutations) {
          const line = copy[at]!;
          if (kind === 'drop') copy[at] = '';
          else if (kind === 'swap')
            [copy[at], copy[lines.length - 1 - at]] = [copy[lines.length - 1 - at]!, line];
          else if (kind === 'cut') copy[at] = line.slice(0, column);
          else copy[at] = line.slice(0, column) + text + line.slice(column);
        }
        for (const error of errorsOf(copy.join('\n'))) expect(error).toMatch(/^\d+:\d+ /);
      }),
      { numRuns: 300, verbose: 1 },
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => void errorsOf(text)),
      { numRuns: 200, verbose: 1 },
    );
  });
});
