import { describe, expect, it } from 'vitest';
import { closest } from '../../../compiler/diagnostics/closest.ts';
import type { Diagnostic } from '../../../compiler/diagnostics/error.ts';
import { diagnosticJson } from '../../../compiler/diagnostics/json.ts';
import { diagnosticSchema } from '../../../compiler/diagnostics/schema.ts';
import { renderDiagnostic, renderDiagnostics } from '../../../compiler/diagnostics/terminal.ts';

const sources: Record<string, string> = {
  'a.ts': 'const a = 1;\n\tconst long = k.dot(a, b);\r\n' + `${'x'.repeat(300)}.here(${'y'.repeat(300)})`,
};
const render = (d: Partial<Diagnostic>, color = false): string =>
  renderDiagnostic({ code: 'PAT0101', message: 'm', ...d }, { color, readSource: (f) => sources[f] });

describe('terminal', () => {
  it('shows the line, the word, notes with their own lines, callers and help', () => {
    const d: Partial<Diagnostic> = {
      span: { file: 'a.ts', line: 2, column: 17, chain: [{ file: 'b.ts', line: 120, column: 3 }] },
      notes: [{ text: 'why' }, { text: 'made here', span: { file: 'a.ts', line: 1, column: 7 } }],
      help: 'do this',
    };
    expect(render(d)).toMatchInlineSnapshot(`
      "error[PAT0101 shape-mismatch]: m
        --> a.ts:2:17
         |
       2 |  const long = k.dot(a, b);
         |                 ^^^
         = note: why
         = note: made here
        --> a.ts:1:7
         |
       1 | const a = 1;
         |       -
         = called from b.ts:120:3
         = help: do this"
    `);
  });

  it('shows only the position where there is no such source, line or column', () => {
    for (const span of [
      { file: 'none.ts', line: 1, column: 1 },
      { file: 'a.ts', line: 99, column: 1 },
      { file: 'a.ts', line: 1, column: 99 },
    ])
      expect(render({ span }).split('\n')).toHaveLength(2);
    expect(render({ span: { file: '<unknown>', line: 0, column: 0 } })).toBe(
      'error[PAT0101 shape-mismatch]: m',
    );
  });

  it('keeps the marked word of a long line in sight', () => {
    const [, , , line, marks] = render({ span: { file: 'a.ts', line: 3, column: 302 } }).split('\n');
    expect(line!.length).toBeLessThan(180);
    expect(line!.slice(marks!.indexOf('^')).startsWith('here')).toBe(true);
    expect(marks!.trim()).toBe('|' + ' '.repeat(marks!.indexOf('^') - marks!.indexOf('|') - 1) + '^^^^');
  });

  it('colours only when asked', () => {
    expect(render({ help: 'h' })).not.toContain('\u001b');
    expect(render({ help: 'h' }, true)).toContain('\u001b[31m');
  });

  it('counts several', () => {
    const d: Diagnostic = { code: 'PAT0601', message: 'm' };
    expect(renderDiagnostics([d], { color: false })).toBe('error[PAT0601 usage]: m\n');
    expect(renderDiagnostics([d, d], { color: false }).endsWith('\n\n2 errors\n')).toBe(true);
  });
});

it('JSON follows its schema and keeps everything', () => {
  const d: Diagnostic = {
    code: 'PAT0401',
    message: 'm',
    span: { file: 'a', line: 1, column: 2, chain: [{ file: 'b', line: 3, column: 4 }] },
    notes: [{ text: 'n', span: { file: 'c', line: 5, column: 6 } }, { text: 'o' }],
    help: 'h',
  };
  const json = diagnosticJson(d);
  expect(diagnosticSchema.parse(JSON.parse(JSON.stringify(json)))).toEqual(json);
  expect(json).toEqual({
    code: 'PAT0401',
    name: 'shared-memory-race',
    severity: 'error',
    message: 'm',
    span: { file: 'a', line: 1, column: 2 },
    calledFrom: [{ file: 'b', line: 3, column: 4 }],
    notes: [{ text: 'n', span: { file: 'c', line: 5, column: 6 } }, { text: 'o' }],
    help: 'h',
  });
  expect(diagnosticJson({ code: 'PAT0601', message: 'm' })).not.toHaveProperty('span');
});

it.each([
  ['colums', ['rows', 'columns'], 'columns'],
  ['Add', ['add', 'and'], 'add'],
  ['z', ['x', 'y'], undefined],
  ['completely', ['different'], undefined],
  ['any', [], undefined],
])('closest to %s', (word, known, expected) => {
  expect(closest(word, known)).toBe(expected);
});
