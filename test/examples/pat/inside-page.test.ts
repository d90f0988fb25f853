/** Entries that begin inside a page, with steps smaller than a page: an entry's first step is never empty. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import pat from '../../../examples/pat/index.ts';
import { places, runAt } from '../places.ts';

const folder = mkdtempSync(join(tmpdir(), 'patc-inside-page-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(places)('on %s', (place) => {
  test.each([
    [64, 16],
    [64, 32],
    [32, 16],
    [24, 16],
  ])('pages of %i tokens, steps of %i', async (page, n) => {
    // The first sequence ends inside the page that the others share: their pack of that page begins there.
    const first = page - 7;
    const sequences = [
      { length: first, pages: [3] },
      { length: 2 * page + 5, pages: [3, 0, 2] },
      { length: page + 9, pages: [3, 1] },
    ];
    const file = join(folder, `${page}.json`);
    writeFileSync(file, JSON.stringify({ page, sequences }));
    const { instance, verdict } = await runAt(place, pat, {
      workload: `batch:${file}`,
      tile: { m: 16, n, stages: 2 },
      flags: { heads: '4/2', headDim: '64', packing: 'node' },
    });
    expect([...(instance.buffers.find((b) => b.name === 'entries')!.data as Int32Array)]).toContain(first);
    expect(verdict).toMatchObject({ ok: true, unwritten: 0 });
  });
});
