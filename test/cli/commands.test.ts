/** Commands end to end: exit codes, and JSON documents that fit their published schemas. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { schemas } from '../../compiler/cli/schemas.ts';
import { published } from '../../scripts/schemas.ts';
import { folder, patc, root, session, type Ran } from './spawn.ts';

const batch = (json: object): string => JSON.stringify(json);
const small = ['--workload', 'random:7,batch=4', '--heads', '4/2', '--head-dim', '64'];
const fine: Record<string, { argv: string[]; schema: keyof typeof schemas }> = {
  'plan of a random forest': { argv: ['plan', ...small], schema: 'plan' },
  'plan of a tree': { argv: ['plan', '--workload', '1,4_64,32', '--packing', 'pat'], schema: 'plan' },
  'plan of a block table': { argv: ['plan', 'pat', '--workload', 'batch:fine.json'], schema: 'plan' },
  'run on the interpreter': { argv: ['run', 'pat', ...small, '--on', 'cpu', '--verify'], schema: 'run' },
  'run on WebGPU': { argv: ['run', 'pat', ...small, '--on', 'webgpu', '--verify'], schema: 'run' },
  'run of a program without a workload': {
    argv: ['run', 'softmax', '--rows', '9', '--spec', 'columns=100', '--on', 'cpu', '--verify'],
    schema: 'run',
  },
  'dump of a run': { argv: ['run', 'pat', ...small, '--on', 'cpu', '--dump', 'dumped'], schema: 'run' },
  'compile for every target': {
    argv: [
      'compile',
      'softmax',
      '--target',
      'cuda:sm_80,cuda:sm_90a,wgsl,wgsl:f16',
      '--out',
      'all',
      '--no-nvcc',
    ],
    schema: 'compile',
  },
  'compile of one tile, with its IR': {
    argv: [
      'compile',
      'softmax',
      '--target',
      'wgsl',
      '--tile',
      'rows=2',
      '--emit',
      'tile,thread,code',
      '--out',
      'one',
    ],
    schema: 'compile',
  },
  'check of a shipped program': {
    argv: ['check', 'softmax', '--target', 'cuda:sm_80,wgsl'],
    schema: 'check',
  },
  'check of a workload': { argv: ['check', 'pat', '--target', 'wgsl', ...small], schema: 'check' },
  'run on the simulator': {
    argv: ['run', 'softmax', '--rows', '3', '--on', 'simulator', '--verify'],
    schema: 'run',
  },
  'a named pass on textual IR': { argv: ['opt', 'fine.tile', '--passes', 'eliminate-dead'], schema: 'opt' },
  'the pipeline on textual IR': { argv: ['opt', 'fine.tile'], schema: 'opt' },
  "compile of a workload's tiles": {
    argv: ['compile', 'pat', ...small, '--target', 'wgsl', '--out', 'used'],
    schema: 'compile',
  },
};

/** Command line -> exit code and the diagnostic's code; `says` must be in the message, the notes or the help. */
const wrong: Record<string, { argv: string[]; code: string; exit: number; says?: string }> = {
  'an unknown command': { argv: ['complie'], code: 'PAT0601', exit: 2, says: "'compile'" },
  'an unknown option': { argv: ['plan', '--workloda', 'x'], code: 'PAT0601', exit: 2, says: "'--workload'" },
  'a missing argument': { argv: ['run'], code: 'PAT0601', exit: 2 },
  'an unknown place': { argv: ['run', 'softmax', '--on', 'cud'], code: 'PAT0601', exit: 2, says: "'cuda'" },
  'an unknown target': { argv: ['compile', 'pat', '--target', 'cuda:sm_75'], code: 'PAT0602', exit: 2 },
  'an unknown packing': { argv: ['plan', ...small, '--packing', 'paht'], code: 'PAT0508', exit: 2 },
  'a flag that is not the program’s': {
    argv: ['run', 'softmax', '--row', '3', '--on', 'cpu'],
    code: 'PAT0601',
    exit: 2,
    says: "'--rows'",
  },
  'a spec number that no kernel has': {
    argv: ['compile', 'softmax', '--spec', 'column=3'],
    code: 'PAT0105',
    exit: 1,
    says: "'columns'",
  },
  'a tile number that no kernel has': {
    argv: ['compile', 'softmax', '--tile', 'row=3'],
    code: 'PAT0107',
    exit: 1,
    says: "'rows'",
  },
  'a tile that is no candidate': {
    argv: ['compile', 'softmax', '--tile', 'rows=3'],
    code: 'PAT0107',
    exit: 1,
  },
  'both tile and workload': {
    argv: ['compile', 'pat', '--tile', 'm=64', ...small],
    code: 'PAT0601',
    exit: 2,
  },
  'a bad seed': { argv: ['run', 'softmax', '--seed', '-1', '--on', 'cpu'], code: 'PAT0601', exit: 2 },
  'no workload': { argv: ['plan'], code: 'PAT0501', exit: 1, says: 'random:7' },
  'a workload of no kind': {
    argv: ['plan', '--workload', '1,4'],
    code: 'PAT0501',
    exit: 1,
    says: 'random:SEED',
  },
  'a malformed random workload': {
    argv: ['plan', '--workload', 'random:x,batch=4'],
    code: 'PAT0501',
    exit: 1,
  },
  'a block table that is not JSON': {
    argv: ['plan', '--workload', 'batch:broken.json'],
    code: 'PAT0501',
    exit: 1,
  },
  'a block table of another shape': {
    argv: ['plan', '--workload', 'batch:shape.json'],
    code: 'PAT0501',
    exit: 1,
  },
  'a page id out of range': {
    argv: ['plan', '--workload', 'batch:range.json'],
    code: 'PAT0502',
    exit: 1,
    says: '0 to 3',
  },
  'a length past its table': {
    argv: ['plan', '--workload', 'batch:past.json'],
    code: 'PAT0503',
    exit: 1,
    says: '48 < 57',
  },
  'a workload file that is not there': {
    argv: ['plan', '--workload', 'batch:absent.json'],
    code: 'PAT0604',
    exit: 1,
  },
  'a malformed .work file': { argv: ['plan', '--workload', 'broken.work'], code: 'PAT0501', exit: 1 },
  'a malformed trace': {
    argv: ['plan', '--workload', 'trace:broken.jsonl,at=1,batch=4'],
    code: 'PAT0507',
    exit: 1,
  },
  'heads that do not divide': {
    argv: ['run', 'pat', '--workload', '1,4_64,32', '--heads', '7/2', '--on', 'cpu'],
    code: 'PAT0504',
    exit: 1,
    says: '3.500',
  },
  'head dim 7': {
    argv: ['run', 'pat', '--workload', '1,4_64,32', '--head-dim', '7', '--on', 'cpu'],
    code: 'PAT0505',
    exit: 1,
    says: '64, 80, 96',
  },
  'a malformed .tile file': { argv: ['compile', 'broken.tile'], code: 'PAT0201', exit: 1 },
  'an unknown pass': {
    argv: ['opt', 'fine.tile', '--passes', 'eliminate'],
    code: 'PAT0203',
    exit: 2,
    says: 'eliminate-dead',
  },
  'passes on a file that is not there': { argv: ['opt', 'absent.tile'], code: 'PAT0604', exit: 1 },
  'a simulated target that is none': {
    argv: ['run', 'softmax', '--on', 'simulator', '--target', 'wgs'],
    code: 'PAT0602',
    exit: 2,
    says: "'wgsl'",
  },
  'a folder that cannot be made': {
    argv: ['compile', 'softmax', '--target', 'wgsl', '--out', 'fine.json/out'],
    code: 'PAT0605',
    exit: 1,
  },
  'kernels of a program compiled for no batch': {
    argv: ['compile', 'pat', '--heads', '32/8'],
    code: 'PAT0601',
    exit: 2,
    says: '--workload',
  },
};

const files = {
  'fine.json': batch({
    page: 16,
    sequences: [
      { length: 37, pages: [4, 9, 2] },
      { length: 20, pages: [4, 1] },
    ],
  }),
  'broken.json': '{"page":',
  'shape.json': batch({ page: 16, sequences: [{ lenght: 3 }] }),
  'range.json': batch({ page: 16, poolPages: 4, sequences: [{ length: 37, pages: [1, 9, 2] }] }),
  'past.json': batch({ page: 16, sequences: [{ length: 57, pages: [4, 9, 2] }] }),
  'broken.work': 'garbage {',
  'broken.jsonl': '{"timestamp": "late"}\n',
  'broken.tile': 'kernel @x( {',
  'fine.tile': `kernel copy {
  input x: f32[32]
  output y: f32[32]

  %i = iota : tile<32xi32>
  %v = load x[%i] : tile<32xf32>
  %0 = const 0 : f32
  store y[%i] = %v
}
`,
  'package.json': '{ "type": "module" }',
  'race.ts': `import { kernel, program } from 'patc/dsl';
const race = kernel('race', {}, (k) => {
  const x = k.input('x', 'f32', ['n']);
  const y = k.output('y', 'f32', [32]);
  const i = k.iota(32);
  const v = x.load([i.add(k.programId(0).mul(32))]);
  y.store([i], v);
});
export default program('race', { kernels: [race] }, (run) => {
  const x = run.input('x', 'f32', 64);
  const y = run.output('y', 'f32', 32);
  run.launch(race, { grid: [2], buffers: { x, y }, scalars: { n: 64 } });
  run.expect(y, () => x.values.slice(32));
});
`,
  'condition.ts': `import { kernel } from 'patc/dsl';
export const lint = kernel('lint', {}, (k) => {
  const x = k.input('x', 'f32', [32]);
  const y = k.output('y', 'f32', [32]);
  const i = k.iota(32);
  const v = x.load([i]);
  y.store([i], v.gt(0) ? v : v.neg());
});
`,
};

describe('the command line', () => {
  const at = folder(files);
  let good: Ran[];
  let bad: Ran[];

  beforeAll(() => {
    const lines = [...Object.values(fine), ...Object.values(wrong)].map((c) => [...c.argv, '--json']);
    const all = session(lines, at);
    good = all.slice(0, Object.keys(fine).length);
    bad = all.slice(good.length);
  }, 300_000);

  test.each(Object.keys(fine))('%s', (name) => {
    const { schema } = fine[name]!;
    const ran = good[Object.keys(fine).indexOf(name)]!;
    expect([ran.code, ran.code === 0 ? '' : ran.stdout]).toEqual([0, '']);
    const document = schemas[schema].parse(JSON.parse(ran.stdout)) as { ok: boolean };
    expect(document.ok).toBe(true);
  });

  test.each(Object.keys(wrong))('%s', (name) => {
    const { code, exit, says } = wrong[name]!;
    const ran = bad[Object.keys(wrong).indexOf(name)]!;
    const { diagnostics } = schemas.errors.parse(JSON.parse(ran.stdout));
    expect([diagnostics[0]!.code, ran.code]).toEqual([code, exit]);
    if (says) expect(JSON.stringify(diagnostics)).toContain(says.replaceAll('"', '\\"'));
  });

  test('what compile says it wrote is there, with a header beside each .cu', () => {
    const document = schemas.compile.parse(
      JSON.parse(good[Object.keys(fine).indexOf('compile for every target')]!.stdout),
    );
    for (const file of document.files) expect(existsSync(join(at, file))).toBe(true);
    expect(document.files.filter((f) => f.endsWith('.cu')).length).toBe(2);
    expect(document.files.filter((f) => f.endsWith('.h')).length).toBe(2);
    for (const a of document.artifacts)
      expect(readFileSync(join(at, a.path), 'utf8')).toContain(
        a.target.startsWith('cuda') ? a.symbol : '@compute',
      );
    expect(new Set(document.artifacts.map((a) => a.target)).size).toBe(4);
  });

  test('the tile form that was written compiles to the same code', () => {
    const [again] = session(
      [['compile', 'one/row_softmax.tile', '--target', 'wgsl', '--out', 'again', '--json']],
      at,
    );
    expect([again!.code, again!.code === 0 ? '' : again!.stdout]).toEqual([0, '']);
    const { artifacts } = schemas.compile.parse(JSON.parse(again!.stdout));
    const code = (path: string): string =>
      readFileSync(join(at, path), 'utf8').replaceAll(/^.*\/\/.*$/gm, '');
    const first = schemas.compile.parse(
      JSON.parse(good[Object.keys(fine).indexOf('compile of one tile, with its IR')]!.stdout),
    );
    expect(code(artifacts[0]!.path)).toBe(code(first.artifacts[0]!.path));
  });

  test('--json documents are all of stdout, and help and version succeed', () => {
    const [help, version, nothing, sub] = session([['--help'], ['--version'], [], ['run', '--help']]);
    expect([help!.code, version!.code, nothing!.code, sub!.code]).toEqual([0, 0, 2, 0]);
    for (const command of ['compile', 'plan', 'run']) expect(help!.stdout).toContain(command);
    expect(sub!.stdout).toContain('--verify');
  });

  test('a device that is missing is exit code 3, and says what to install', () => {
    const ran = patc(['run', 'softmax', '--on', 'webgpu', '--json'], {
      env: {
        ...process.env,
        PATC_WEBGPU_ADAPTER: 'hardware',
        VK_ICD_FILENAMES: '/nonexistent',
        VK_DRIVER_FILES: '/nonexistent',
      },
    });
    const [d] = schemas.errors.parse(JSON.parse(ran.stdout)).diagnostics;
    expect([ran.code, d!.code]).toEqual([3, 'PAT0703']);
    expect(d!.help).toContain('driver');
  });

  test('check names a race and a traced condition with the line, and fails', () => {
    const ran = session(
      ['race.ts', 'condition.ts'].map((f) => ['check', f, '--target', 'wgsl', '--json']),
      at,
    );
    const [race, condition] = ran.map((r) => schemas.check.parse(JSON.parse(r.stdout)));
    expect(ran.map((r) => r.code)).toEqual([1, 1]);
    const [found] = race!.targets[0]!.simulated[0]!.errors;
    expect([race!.ok, found!.code, found!.span!.line]).toEqual([false, 'PAT0402', 7]);
    expect([condition!.ok, condition!.lint[0]!.code, condition!.lint[0]!.span!.line]).toEqual([
      false,
      'PAT0103',
      7,
    ]);
  });

  test('a pass takes out what nothing reads', () => {
    const { text } = schemas.opt.parse(
      JSON.parse(good[Object.keys(fine).indexOf('a named pass on textual IR')]!.stdout),
    );
    expect(text).toContain('%v = load');
    expect(text).not.toContain('const');
  });

  test('docs/schemas are current', async () => {
    for (const [name, text] of await published()) {
      expect(readFileSync(join(root, 'docs', 'schemas', name), 'utf8'), 'run: node scripts/schemas.ts').toBe(
        text,
      );
    }
  });
});
