/** A pack's entries: what other packs read too and what only it reads, in turn. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IntList } from '../../../examples/pat/packlist.ts';
import { Interleaver, pieceUnit } from '../../../examples/pat/packers/order.ts';

interface Entry {
  readonly from: number;
  readonly to: number;
  readonly row: number;
}

function interleave(entries: readonly Entry[], common: number, page: number): Entry[] {
  const [pack, out] = [new Interleaver(page), new IntList()];
  pack.begin(common);
  entries.forEach(({ from, to, row }) => pack.add(7 * row, from, to, row, 1));
  pack.write(out);
  return Array.from({ length: out.length / 5 }, (_, i) => {
    const [base, from, to, row, count] = out.data.subarray(5 * i, 5 * i + 5) as unknown as number[];
    expect([base, count]).toEqual([7 * row!, 1]);
    return { from: from!, to: to!, row: row! };
  });
}

const tokens = (list: readonly Entry[]): number => list.reduce((sum, { from, to }) => sum + to - from, 0);

describe('the order of a pack', () => {
  it('takes a prompt and eight leaves in turn, an eighth of each', () => {
    const leaves = Array.from({ length: 8 }, (_, i) => ({ from: 2048, to: 2080, row: i + 1 }));
    const order = interleave([{ from: 0, to: 2048, row: 0 }, ...leaves], 2048, 32);
    expect(order).toEqual(leaves.flatMap((leaf, i) => [{ from: 256 * i, to: 256 * (i + 1), row: 0 }, leaf]));
  });

  it('is the given one where other packs read nothing of it, or all', () => {
    const entries = [
      { from: 0, to: 100, row: 0 },
      { from: 100, to: 130, row: 1 },
    ];
    expect(interleave(entries, 0, 16)).toEqual(entries);
    expect(interleave(entries, 160, 16)).toEqual(entries);
  });

  it('keeps every token, cuts at whole steps and pages, and never falls far behind with either', () => {
    const entry = fc.record({
      from: fc.nat(2000),
      size: fc.integer({ min: 1, max: 1500 }),
    });
    fc.assert(
      fc.property(
        fc.array(entry, { minLength: 1, maxLength: 20 }),
        fc.nat(200),
        fc.constantFrom(1, 16, 32, 48),
        (drawn, pages, page) => {
          const common = pages * page;
          const entries = drawn.map(({ from, size }, row) => ({ from, to: from + size, row }));
          const order = interleave(entries, common, page);
          const unit = pieceUnit(page);
          for (const { from, to, row } of entries) {
            const parts = order.filter((x) => x.row === row).sort((a, b) => a.from - b.from);
            expect(parts[0]!.from).toBe(from);
            expect(parts.at(-1)!.to).toBe(to);
            parts.slice(1).forEach((x, i) => {
              expect(x.from).toBe(parts[i]!.to);
              expect(x.from % unit === 0 || x.from === common).toBe(true);
            });
          }
          const shared = order.filter((x) => x.to <= common);
          const own = order.filter((x) => x.from >= common);
          if (shared.length === 0 || own.length === 0) return;
          expect(shared.length + own.length).toBe(order.length);
          const [all, rest] = [tokens(shared), tokens(own)];
          const longest = Math.max(...order.map((x) => x.to - x.from)) + 2 * Math.max(unit, page);
          let [a, b] = [0, 0];
          for (const x of order) {
            if (x.to <= common) a += x.to - x.from;
            else b += x.to - x.from;
            // Of each as much as of the other, but for a turn and the pages that entries only begin.
            const slack = 1 / 8 + ((order.length + 2) * longest) / Math.min(all, rest) / 8;
            expect(Math.abs(a / all - b / rest)).toBeLessThan(slack + longest / Math.min(all, rest));
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
