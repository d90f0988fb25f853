/** tune, explain, devices and report on the command line: documents that fit their schemas, and wrong usage. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { devices, explain, report, tune, type ExplainJson } from '../../compiler/tune/schemas.ts';
import { folder, session, type Ran } from '../cli/spawn.ts';

const small = ['--workload', '1,3_64,32', '--heads', '8/2', '--head-dim', '64', '--no-nvcc'];
const lines: Record<string, string[]> = {
  devices: ['devices', '--no-present', '--json'],
  'devices as text': ['devices', '--no-present', '--sources'],
  explained: ['explain', 'pat', '--tile', 'm=64,n=64', '--target', 'cuda:sm_90a,wgsl', '--no-nvcc', '--json'],
  'explained text': ['explain', 'pat', '--tile', 'm=128,n=128', '--device', 'l4', '--no-nvcc'],
  'explained gemm': ['explain', 'gemm', '--device', 'a100', '--no-nvcc', '--json'],
  tuned: ['tune', 'pat', ...small, '--device', 'a100', '--tile', 'm=16', '--json'],
  again: ['tune', 'pat', ...small, '--device', 'a100', '--tile', 'm=16', '--json'],
  'tuned gemm': [
    'tune',
    'gemm',
    '--rows',
    '64',
    '--spec',
    'columns=128,depth=128',
    '--no-nvcc',
    '--device',
    'l4',
    '--json',
  ],
  'a device nobody has described': ['explain', 'pat', '--device', 'a10', '--json'],
  'a target that the device does not run': [
    'tune',
    'pat',
    ...small,
    '--device',
    'a100',
    '--target',
    'wgsl',
    '--json',
  ],
  'a place that is none': ['tune', 'pat', ...small, '--on', 'gpu', '--json'],
  'a budget that is no time': ['tune', 'pat', ...small, '--budget', 'soon', '--json'],
  'a report that is no page': ['tune', 'pat', ...small, '--report', 'r.pdf', '--json'],
  'a tile number that the kernel lacks': ['explain', 'pat', '--tile', 'mm=64', '--json'],
  'a cache action that is none': ['cache', 'lst', '--json'],
  'a comparison with one side': ['report', '--compare', 'a.json', '--json'],
  'a report that is none': ['report', '--compare', 'wrong.json', 'wrong.json', '--json'],
  'a report that is not there': ['report', '--compare', 'gone.json', 'gone.json', '--json'],
  'a report of nothing measured on a GPU that is not here': [
    'tune',
    'pat',
    ...small,
    '--on',
    'cuda',
    '--json',
  ],
};
const ran: Record<string, Ran> = {};
const document = (name: string): unknown => JSON.parse(ran[name]!.stdout);

beforeAll(() => {
  const at = folder({ 'wrong.json': '{"ok": true}' });
  const names = Object.keys(lines);
  session(Object.values(lines), at).forEach((r, i) => (ran[names[i]!] = r));
}, 120_000);

describe('documents', () => {
  it('devices: every figure with its source', () => {
    expect(devices.parse(document('devices')).devices.length).toBeGreaterThanOrEqual(9);
    expect(ran['devices as text']!.stdout).toContain('data sheet');
  });

  it('explain: what fits line by line, what does not with its arithmetic, neighbours that do', () => {
    const { explained } = explain.parse(document('explained'));
    const on = (target: string): ExplainJson['explained'][number] =>
      explained.find((e) => e.target === target)!;
    expect(on('cuda:sm_90a')).toMatchObject({ fits: true });
    expect(on('cuda:sm_90a').budget.map((l) => l.name)).toContain('compute roof');
    expect(Object.keys(on('cuda:sm_90a').model!)).toContain('blockOf1024');
    expect(on('wgsl')).toMatchObject({ fits: false, binding: 'shared memory' });
    for (const e of explained) {
      expect(e.neighbours.length).toBeGreaterThan(0);
      for (const n of e.neighbours) expect(n.changed).toMatch(/\w+=\d+/);
    }
    expect(ran['explained text']!.stdout).toContain('does not fit');
    expect(explain.parse(document('explained gemm')).explained[0]!.kernel).toBe('linear_gelu');
  });

  it('tune: settled numbers stay, the same seed gives the same, other programs are tuned too', () => {
    const first = tune.parse(document('tuned'));
    expect(first.configurations.length).toBeGreaterThan(3);
    for (const c of first.configurations) expect(c.tile['m']).toBe(16);
    const again = tune.parse(document('again'));
    expect({ ...again, elapsedSeconds: 0 }).toEqual({ ...first, elapsedSeconds: 0 });
    const gemm = tune.parse(document('tuned gemm'));
    expect(gemm.kernel).toBe('linear_gelu');
    expect(gemm.table).toBeUndefined();
    expect(gemm.flops).toBe(2 * 64 * 128 * 128);
  });
});

describe('wrong usage', () => {
  const expected: Record<string, [exit: number, code: string]> = {
    'a device nobody has described': [2, 'PAT0601'],
    'a target that the device does not run': [2, 'PAT0601'],
    'a place that is none': [2, 'PAT0601'],
    'a budget that is no time': [2, 'PAT0601'],
    'a report that is no page': [2, 'PAT0601'],
    'a tile number that the kernel lacks': [1, 'PAT0107'],
    'a cache action that is none': [2, 'PAT0601'],
    'a comparison with one side': [2, 'PAT0601'],
    'a report that is none': [2, 'PAT0601'],
    'a report that is not there': [1, 'PAT0604'],
  };
  it.each(Object.keys(expected))('%s', (name) => {
    const [exit, code] = expected[name]!;
    expect(ran[name]!.code).toBe(exit);
    expect(document(name)).toMatchObject({ ok: false, diagnostics: [{ code }] });
  });

  it('a GPU that is not here is exit code 3, where it is not here', () => {
    const name = 'a report of nothing measured on a GPU that is not here';
    if (ran[name]!.code === 0) return;
    expect(ran[name]!.code).toBe(3);
    expect(document(name)).toMatchObject({ ok: false, diagnostics: [{ code: 'PAT0702' }] });
  });
});

describe('report', () => {
  it('compares two files, and makes the page of one again', () => {
    const text = JSON.stringify(document('tuned'));
    const at = folder({ 'a.json': text, 'b.json': text });
    writeFileSync(join(at, 'c.json'), JSON.stringify(document('tuned gemm')));
    const [same, other, page] = session(
      [
        ['report', '--compare', 'a.json', 'b.json', '--json'],
        ['report', '--compare', 'a.json', 'c.json'],
        ['report', 'a.json', '--out', 'a.html'],
      ],
      at,
    );
    expect(report.parse(JSON.parse(same!.stdout))).toMatchObject({ sameTable: true, bestUs: { ratio: 1 } });
    expect(other!.stdout).toContain('B/A');
    expect(page).toMatchObject({ code: 0 });
  });
});
