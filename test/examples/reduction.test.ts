/** The sum of a long vector: pieces that do not come out even, one element, the same bits each time. */
import { describe, expect, test } from 'vitest';
import reduction, { pieceReference } from '../../examples/reduction/program.ts';
import { places, runAt, type Small } from './places.ts';

const cases: Record<string, Small> = {
  'a ragged last piece': { tile: { width: 512, steps: 4 }, flags: { elements: '9001' } },
  'whole pieces': { tile: { width: 1024, steps: 4 }, flags: { elements: '8192' } },
  f16: { spec: { dtype: 'f16' }, flags: { elements: '20000' } },
  'one element': { flags: { elements: '1' } },
};

describe.each(places)('on %s', (place) => {
  test.each(Object.entries(cases))('%s', async (_, small) => {
    const { verdict } = await runAt(place, reduction, small);
    expect(verdict).toMatchObject({ ok: true, unwritten: 0 });
  });
});

test('the same vector has the same bits', async () => {
  const small = { tile: { width: 512, steps: 4 }, flags: { elements: '5000' } };
  for (const place of places) {
    const [a, b] = [await runAt(place, reduction, small), await runAt(place, reduction, small)];
    expect(b.outputs).toEqual(a.outputs);
  }
});

test('a sum that is off shows', async () => {
  const { instance, outputs } = await runAt('interpreter', reduction, { flags: { elements: '4000' } });
  for (const name of ['total', 'sums']) {
    const wrong = (outputs.get(name) as Float32Array).slice();
    wrong[0]! += 0.5;
    expect(instance.verify(new Map([...outputs, [name, wrong]])).ok).toBe(false);
  }
});

test('the reference', () => {
  expect([...pieceReference(Float64Array.from([1, 2, 3, 4, 5]), 2)]).toEqual([3, 7, 5]);
});
