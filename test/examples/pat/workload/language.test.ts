import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PatcError } from '../../../../compiler/diagnostics/error.ts';
import { formatWork, parseWork, workStates } from '../../../../examples/pat/workload/language/index.ts';

const states = (text: string, page = 16) => workStates(parseWork(text, 'test.work'), page);
const last = (text: string, page = 16) => states(text, page).at(-1)!.sequences;
const errors = (text: string): string[] => {
  try {
    states(text);
  } catch (error) {
    if (error instanceof PatcError)
      return error.diagnostics.map((d) => `${d.span?.line}:${d.span?.column} ${d.message}`);
  }
  return [];
};

describe('workload language', () => {
  it('shares whole pages of nodes; what is behind the last full page is copied', () => {
    expect(last('prompt 20 tokens { reply 4 * 2 }')).toEqual([
      { length: 24, pages: [0, 1 + 1], queries: 1 },
      { length: 24, pages: [0, 3], queries: 1 },
    ]);
  });

  it('goes on in place, inside the partly filled page', () => {
    expect(last('prompt 20 { stop reply 4 in-place }')).toEqual([
      { length: 20, pages: [0, 1], queries: 1 },
      { length: 24, pages: [0, 1], queries: 1 },
    ]);
  });

  it('repeats groups with fresh pages and draws lengths from the seed', () => {
    const text = 'seed 5 group turn { reply 1..50 * 3 } prompt 32 { use turn * 2 }';
    const a = last(text);
    expect(a).toHaveLength(6);
    expect(new Set(a.map((s) => s.pages.at(-1))).size).toBe(6);
    expect(last(text)).toEqual(a);
    expect(last(text.replace('5', '6'))).not.toEqual(a);
    for (const s of a) expect(s.length).toBeGreaterThan(32);
  });

  it('decodes over time: pages are appended, shared partial pages are copied, sequences leave and arrive', () => {
    const all = states('a 20 { stop b 1 in-place } decode 1 decode 12 leave a late 3', 16);
    expect(all.map((s) => s.sequences.map((x) => x.length))).toEqual([
      [20, 21],
      [21, 22],
      [33, 34],
      [34],
      [34, 3],
    ]);
    // `a` wrote its 21st token: not into the page that `b` reads.
    expect(all[1]!.sequences[0]!.pages).not.toEqual(all[1]!.sequences[1]!.pages);
  });

  it('reports every error with its place', () => {
    const text = `page 0
heads 32
prompt tokens {
  document 100 * {
    reply 300..200
    use turn
  }
  $ x 3
}
group turns { reply 3 }
page 16
leave repl * 2
prompt 20 {
`;
    expect(errors(text)).toEqual([
      '1:1 page 0: expected 1 to 1048576 tokens',
      "3:1 expected '/', found 'prompt'",
      "3:8 expected a number, found 'tokens'",
      "4:18 expected a number, found '{'",
      '5:11 reply: the range 300..200 is empty',
      "6:5 there is no group 'turn'",
      '8:3 unexpected "$"',
      '11:1 page was already set on line 1',
      "12:1 no sequence is called 'repl'",
      '13:1 prompt has an empty block',
      "13:12 expected '}', found the end of the file",
    ]);
  });

  it.each([
    ['group a { use a } use a', 'group a uses itself'],
    ['a 5 queries 6', 'a: 6 query tokens, but only 5 tokens'],
    ['a 5 leave a * 2', 'leave a * 2: only 1 are running'],
    ['dtype f8', "dtype 'f8': expected f16, bf16, f32"],
    ['a 5 queries 2 { b 1 }', 'a: only sequences have query tokens, and this node has a block'],
    ['a 99999999999', 'a: 99999999999 tokens, at most 134217728 are supported'],
    ['decode', 'expected a number, found the end of the file'],
  ])('%s', (text, message) => {
    expect(errors(text).join('\n')).toContain(message);
  });

  it('formats: stable, comments kept, meaning unchanged', () => {
    const text = `#chat
page 16   heads 32/8 # grouped
prompt   2112 {   document 1000*4 {reply 200..3200 tokens
      # the others
 * 2 note 4 in-place stop * 2 } }


decode 8`;
    const tidy = formatWork(text, 'test.work');
    expect(tidy).toBe(`# chat
page 16
heads 32/8 # grouped
prompt 2112 tokens {
  document 1000 tokens * 4 {
    reply 200..3200 tokens * 2
    # the others
    note 4 tokens in-place
    stop * 2
  }
}

decode 8
`);
    expect(formatWork(tidy, 'test.work')).toBe(tidy);
    expect(states(tidy)).toEqual(states(text));
  });

  it('reads the examples of docs/workloads.md, which are tidy', () => {
    const blocks = [...readFileSync('docs/workloads.md', 'utf8').matchAll(/```work\n([\s\S]*?)```/g)].map(
      (m) => m[1]!,
    );
    expect(blocks.length).toBeGreaterThan(2);
    for (const block of blocks) {
      expect(formatWork(block, 'docs')).toBe(block);
      expect(last(block).length).toBeGreaterThan(0);
    }
  });

  it('survives any text', () => {
    const words = [
      'page',
      '16',
      'prompt',
      '{',
      '}',
      '*',
      '..',
      '/',
      'stop',
      'use',
      'group',
      'decode',
      'leave',
      '#x\n',
      '$',
      'a',
      '7',
      'queries',
      'in-place',
    ];
    for (let seed = 1; seed < 2000; seed++) {
      let state = seed;
      const text = Array.from({ length: 1 + (seed % 25) }, () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return words[state % words.length];
      }).join(' ');
      try {
        states(text);
      } catch (error) {
        expect(error, text).toBeInstanceOf(PatcError);
      }
    }
  });
});
