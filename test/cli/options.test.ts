import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCount, parseSpec, parseStages, parseTargets, parseTile } from '../../compiler/cli/options.ts';
import { PatcError } from '../../compiler/diagnostics/error.ts';

const caught = (work: () => unknown): PatcError => {
  try {
    work();
  } catch (error) {
    if (error instanceof PatcError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('options', () => {
  test('spec values are numbers where they look like numbers', () => {
    expect(parseSpec('headDim=128,dtype=f16,scale=0.5')).toEqual({ headDim: 128, dtype: 'f16', scale: 0.5 });
    expect(parseSpec('')).toEqual({});
  });

  test.each(['headDim', 'headDim=', '=3', 'a=1,a=2', '1a=3', 'a==1 2'])(
    '--spec %j is wrong usage',
    (text) => {
      const error = caught(() => parseSpec(text));
      expect([error.code, error.exitCode]).toEqual(['PAT0601', 2]);
    },
  );

  test.each(['m=-1', 'm=1.5', 'm=x'])('--tile %j is wrong usage', (text) => {
    expect(caught(() => parseTile(text)).code).toBe('PAT0601');
  });

  test('targets: known ones once each, in the order given', () => {
    expect(parseTargets('wgsl, cuda:sm_80,wgsl').map((t) => t.name)).toEqual(['wgsl', 'cuda:sm_80']);
  });

  test.each([
    ['cuda:sm_90', 'cuda:sm_90a'],
    ['cuda', 'cuda:sm_80'],
    ['wgsll', 'wgsl'],
    ['wgsl:fp16', 'wgsl:f16'],
  ])('an unknown target %s gets a suggestion', (text, near) => {
    const error = caught(() => parseTargets(text));
    expect(error.code).toBe('PAT0602');
    expect(error.exitCode).toBe(2);
    expect(error.diagnostics[0]!.help).toContain(`'${near}'`);
  });

  test('stages and counts', () => {
    expect(parseStages('tile,code')).toEqual(['tile', 'code']);
    expect(caught(() => parseStages('cod')).diagnostics[0]!.help).toContain("'code'");
    expect(parseCount('--seed', '7', 0)).toBe(7);
    for (const bad of ['', '-1', '1e3', '7x'])
      expect(caught(() => parseCount('--seed', bad, 0)).exitCode).toBe(2);
  });

  test('any text at all is parsed or refused, never more', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        for (const parse of [parseSpec, parseTile, parseTargets, parseStages]) {
          try {
            parse(text);
          } catch (error) {
            expect(error).toBeInstanceOf(PatcError);
          }
        }
      }),
    );
  });
});
