/** patc bench: what it refuses, what its help lists, and one case measured on the software GPU. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { resultSchema } from '../../bench/results.ts';
import { suites } from '../../bench/suites.ts';
import { schemas } from '../../compiler/cli/schemas.ts';
import { folder, patc, session } from './spawn.ts';

const refused: [string, string[], number, string, RegExp][] = [
  ['an unknown suite', ['--suite', 'nope'], 2, 'PAT0601', /no suite 'nope'/],
  ['a broken pattern', ['--filter', '('], 2, 'PAT0601', /--filter/],
  ['a pattern that nothing matches', ['--filter', 'nothing'], 2, 'PAT0601', /no case of quick/],
  ['an unknown packing', ['--packing', 'best'], 2, 'PAT0601', /auto, pat, node or none/],
  ['an unknown place', ['--on', 'cpu'], 2, 'PAT0601', /cuda or webgpu/],
  ['peers that are not there', ['--peers', 'absent.json'], 1, 'PAT0604', /absent\.json/],
  ['peers that are no record', ['--peers', 'peers.json'], 2, 'PAT0601', /not a record/],
  ['repeats that are no number', ['--repeats', 'many'], 2, 'PAT0601', /--repeats/],
];

test('refusals have codes and say what would do', () => {
  const at = folder({ 'peers.json': '{"device": 1}' });
  const ran = session(
    refused.map(([, argv]) => ['bench', ...argv, '--json']),
    at,
  );
  refused.forEach(([what, , exit, code, message], i) => {
    expect(ran[i]!.code, what).toBe(exit);
    const { diagnostics } = schemas.errors.parse(JSON.parse(ran[i]!.stdout));
    expect(diagnostics[0], what).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

test('the help lists every suite; --lines maps to the author’s file', () => {
  const at = folder({});
  const [help, compiled] = session(
    [
      ['bench', '--help'],
      [
        'compile',
        'softmax',
        '--target',
        'cuda:sm_80',
        '--tile',
        'rows=1',
        '--lines',
        '--no-nvcc',
        '--out',
        '-',
      ],
    ],
    at,
  );
  for (const { name, cases } of suites)
    expect(help!.stdout).toMatch(new RegExp(`${name} +${cases.length} cases: `));
  expect(compiled!.stdout).toMatch(/^#line \d+ ".*examples\/softmax\/kernel\.ts"$/m);
});

test('a case is planned, run, verified and recorded', () => {
  const out = join(folder({}), 'results');
  const argv = ['--suite', 'small', '--filter', '^1_2048 32/8', '--on', 'webgpu', '--repeats', '0'];
  const ran = patc(['bench', ...argv, '--commit', 'abc', '--out', out, '--json']);
  expect([ran.code, ran.code === 0 ? '' : ran.stdout + ran.stderr]).toEqual([0, '']);
  const { ok, file, rows, complete, commit } = schemas.bench.parse(JSON.parse(ran.stdout));
  expect({ ok, complete, commit, cases: rows.length }).toEqual({
    ok: true,
    complete: false,
    commit: 'abc',
    cases: 1,
  });
  expect(rows[0]).toMatchObject({ tree: '1_2048', heads: '32/8', verified: true, sampledRows: 32 });
  const written = resultSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  expect(written.rows).toEqual(rows);
  expect(readFileSync(file.replace(/json$/, 'svg'), 'utf8')).toContain('<svg');
});
