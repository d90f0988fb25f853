import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { catalogue } from '../../compiler/diagnostics/catalogue.ts';
import { checkAll, mistakesPage, outputOf } from './manual.ts';
import { mistakes } from './mistakes.ts';

const ran = checkAll();

describe('patc check', () => {
  it.each(mistakes.map((m, i) => [m.name, m, ran[i]!] as const))('%s', (_, m, r) => {
    expect(r.code).toBe(m.exit);
    const output = outputOf(r);
    // A shape that does not fit is no error while another does: its line stands in the budget, its code in the JSON.
    if (m.code !== 'PAT0301') expect(output).toContain(`[${m.code} ${catalogue[m.code].name}]`);
    expect(output).toMatch(new RegExp(`${m.name}\\.ts:${m.line}:\\d+`));
  });
});

it('docs/mistakes.md shows what patc prints (node scripts/mistakes-doc.ts rewrites it)', async () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/mistakes.md'), 'utf8');
  expect(page).toBe(await mistakesPage(ran));
});
