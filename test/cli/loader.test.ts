/** What goes wrong when an author's file is loaded, and what patc says about it. */
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { errors } from '../../compiler/cli/schemas.ts';
import { folder, session, type Ran } from './spawn.ts';

const kernel = `import { kernel, tune } from 'patc/dsl';
export const twice = kernel('twice', { spec: { columns: 64 }, tile: { rows: tune(1, 2) } }, (k, { columns, rows }) => {
  const x = k.input('x', 'f32', ['n', columns]);
  const y = k.output('y', 'f32', ['n', columns]);
  const row = k.programId(0).mul(rows).add(k.iota(rows));
  const at = [row.expand(1), k.iota(columns).expand(0)];
  const live = row.lt(k.dim('n')).expand(1);
  y.store(at, x.load(at, { mask: live, other: 0 }).mul(2), { mask: live });
});
`;

/** File in a module package -> what the message and the help must say. */
const traps: Record<string, { text: string; says: RegExp; helps?: RegExp; line?: number }> = {
  'enum.ts': {
    text: `export const a = 1;\nenum Kind { A }\nexport const b = Kind.A;\n`,
    says: /enum is not supported/,
    helps: /as const/,
    line: 2,
  },
  'namespace.ts': {
    text: `namespace N { export const a = 1 }\n`,
    says: /namespace/,
    helps: /module|object/,
    line: 1,
  },
  'property.ts': {
    text: `\nexport class A { constructor(readonly x: number) {} }\n`,
    says: /parameter property/,
    helps: /assign/,
    line: 2,
  },
  'syntax.ts': { text: `export const a = ;\n`, says: /syntax error/, line: 1 },
  'ending.ts': { text: `import './enum';\n`, says: /Cannot find module/, helps: /enum\.ts/ },
  'ending-js.ts': { text: `import './enum.js';\n`, says: /Cannot find module/, helps: /enum\.ts/ },
  'missing.ts': { text: `import './absent.ts';\n`, says: /Cannot find module/, helps: /path/ },
  'package.ts': { text: `import 'no-such-package-here';\n`, says: /Cannot find package/, helps: /install/ },
  'type-import.ts': {
    text: `import { T } from './types.ts';\nexport const a: T = 1;\n`,
    says: /named 'T'/,
    helps: /import type/,
  },
  'types.ts': {
    text: `export type T = number;\n`,
    says: /exports no kernel and no program/,
    helps: /kernel\(/,
  },
  'value.ts': { text: `export const a = 3;\n`, says: /exports no kernel/ },
  'throws.ts': {
    text: `export const a = 1;\nthrow new TypeError('of my own');\n`,
    says: /TypeError: of my own/,
    line: 2,
  },
  'throws-text.ts': { text: `throw 'text';\n`, says: /it threw text/ },
  'nothing.ts': { text: ``, says: /exports nothing|exports no kernel/ },
};

describe('loading a program', () => {
  let results: Ran[];
  let outside: Ran[];
  const names = Object.keys(traps);

  beforeAll(() => {
    const files = Object.fromEntries(names.map((name) => [name, traps[name]!.text]));
    const at = folder({
      'package.json': '{"type":"module"}',
      ...files,
      'fine.ts': kernel,
      'program.txt': 'x',
      'dir.ts/x': '',
    });
    results = session(
      [
        ...names.map((name) => ['compile', name, '--json']),
        ['run', 'fine.ts', '--json'],
        ['compile', 'program.txt', '--json'],
        ['compile', 'dir.ts', '--json'],
      ],
      at,
    );
    const other = folder({
      'commonjs/package.json': '{"type":"commonjs"}',
      'commonjs/kernel.ts': kernel,
      'typeless/package.json': '{}',
      'typeless/deep/kernel.ts': kernel,
      'broken/package.json': '{',
      'broken/kernel.ts': kernel,
    });
    outside = session(
      [
        'commonjs/kernel.ts',
        'typeless/deep/kernel.ts',
        'broken/kernel.ts',
        'absent.ts',
        'absent.tile',
        'softmx',
      ].map((p) => ['compile', p, '--json']),
      other,
    );
  });

  test.each(names)('%s', (name) => {
    const { says, helps, line } = traps[name]!;
    const ran = results[names.indexOf(name)]!;
    const [d] = errors.parse(JSON.parse(ran.stdout)).diagnostics;
    expect(ran.code).toBe(1);
    expect(d!.code).toBe('PAT0603');
    expect(d!.message).toMatch(says);
    if (helps) expect(d!.help).toMatch(helps);
    if (line !== undefined) expect(d!.span!.line).toBe(line);
  });

  test('kernels alone compile but do not run', () => {
    const ran = results[names.length]!;
    const [d] = errors.parse(JSON.parse(ran.stdout)).diagnostics;
    expect([ran.code, d!.code]).toEqual([1, 'PAT0603']);
    expect(d!.message).toContain('twice');
    expect(d!.help).toContain('program(');
  });

  test('neither .ts nor .tile, and a folder', () => {
    const [text, dir] = results
      .slice(names.length + 1)
      .map((r) => errors.parse(JSON.parse(r.stdout)).diagnostics[0]!);
    expect(text!.code).toBe('PAT0603');
    expect(dir!.code).toBe('PAT0604');
  });

  test('a package that is not an ES module says which package.json to change, and how', () => {
    const [commonjs, typeless, broken] = outside.map(
      (r) => errors.parse(JSON.parse(r.stdout)).diagnostics[0]!,
    );
    expect(commonjs!.message).toContain('"type": "commonjs"');
    expect(commonjs!.help).toContain(join('commonjs', 'package.json'));
    expect(typeless!.message).toContain('has no "type"');
    expect(typeless!.help).toContain(join('typeless', 'package.json'));
    expect(typeless!.help).toContain('"type": "module"');
    expect(broken!.message).toContain('not JSON');
    expect(outside.slice(0, 3).map((r) => r.code)).toEqual([1, 1, 1]);
  });

  test('a missing file, and a name that is nearly a shipped program', () => {
    const [, , , ts, tile, near] = outside.map((r) => ({
      code: r.code,
      d: errors.parse(JSON.parse(r.stdout)).diagnostics[0]!,
    }));
    expect([ts!.code, ts!.d.code]).toEqual([1, 'PAT0604']);
    expect([tile!.code, tile!.d.code]).toEqual([1, 'PAT0604']);
    expect([near!.code, near!.d.code]).toEqual([2, 'PAT0601']);
    expect(near!.d.help).toContain('softmax');
  });
});
