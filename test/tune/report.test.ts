/** The report as a person gets it: opened from disk in headless Chromium, with no script, no request and every chart drawn. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import packaged from '@sparticuz/chromium';
import { chromium, type Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findSoftwarePackage, unpackArchive } from '../../backends/wgsl/runtime/software.ts';
import { tune, type TuneJson } from '../../compiler/tune/schemas.ts';
import { compareReports } from '../../compiler/tune/report/compare.ts';
import { reportPage } from '../../compiler/tune/report/page.ts';
import { summary } from '../../compiler/tune/report/summary.ts';
import { folder, patc } from '../cli/spawn.ts';

let browser: Browser;
let at: string;
let document: TuneJson;

beforeAll(async () => {
  at = folder({});
  const ran = patc(
    [
      'tune',
      'pat',
      ...['--workload', 'random:7,batch=8', '--heads', '8/2', '--head-dim', '64', '--device', 'rtx4090'],
      ...['--budget', '60s', '--no-nvcc', '--report', join(at, 'r.html'), '--table', join(at, 't.json')],
    ],
    { cwd: at },
  );
  expect(ran.stderr).toContain('wrote');
  expect(ran.code).toBe(0);
  expect(ran.stdout.split('\n').length).toBeLessThan(28);
  document = tune.parse(JSON.parse(readFileSync(join(at, 'r.json'), 'utf8')));
  const libraries = join(unpackArchive(findSoftwarePackage()!, 'al2023'), 'lib');
  browser = await chromium.launch({
    executablePath: await packaged.executablePath(),
    headless: true,
    env: { ...process.env, LD_LIBRARY_PATH: libraries } as Record<string, string>,
    args: ['--no-sandbox'],
  });
}, 120_000);
afterAll(() => browser?.close());

/** What a visit to the page leaves: complaints, requests, and for every chart how many shapes it drew. */
async function visit(file: string) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const [complaints, requests]: [string[], string[]] = [[], []];
  page.on('console', (m) => {
    if (m.type() === 'error' || m.type() === 'warning') complaints.push(m.text());
  });
  page.on('pageerror', (e) => complaints.push(String(e)));
  page.on('request', (r) => requests.push(r.url()));
  await page.goto(pathToFileURL(file).href);
  const charts = await page.$$eval('svg[data-chart]', (found) =>
    found.map((svg) => ({
      id: svg.getAttribute('data-chart'),
      marks: svg.querySelectorAll('path, rect, text').length,
      width: svg.getBoundingClientRect().width,
      broken: svg.innerHTML.includes('NaN'),
    })),
  );
  const scripts = await page.$$eval('script', (s) => s.length);
  await page.close();
  return { complaints, requests, charts, scripts };
}

describe('the page', () => {
  it(
    'opens from disk: no complaint, no request but itself, every chart drawn',
    { timeout: 60_000 },
    async () => {
      const { complaints, requests, charts, scripts } = await visit(join(at, 'r.html'));
      expect(complaints).toEqual([]);
      expect(requests.filter((url) => !url.startsWith('data:'))).toEqual([
        pathToFileURL(join(at, 'r.html')).href,
      ]);
      expect(scripts).toBe(0);
      const ids = charts.map((c) => c.id);
      for (const id of ['winners', 'occupancy', 'roofline', 'timeline', 'sensitivity', 'comparisons'])
        expect(ids).toContain(id);
      for (const c of charts) {
        expect(c.marks, c.id!).toBeGreaterThan(10);
        expect(c.width, c.id!).toBeGreaterThan(150);
        expect(c.broken, c.id!).toBe(false);
      }
    },
  );

  it(
    'shows predicted against measured where something was measured, and keeps foreign text text',
    { timeout: 60_000 },
    async () => {
      const measured: TuneJson = {
        ...document,
        workload: '<script>alert(1)</script>',
        configurations: document.configurations.map((c, i) =>
          c.predictedUs === undefined
            ? c
            : { ...c, state: 'measured' as const, measuredUs: c.predictedUs * (1 + (i % 5) / 10) },
        ),
      };
      const file = join(at, 'measured.html');
      writeFileSync(file, await reportPage(tune.parse(measured)));
      const { complaints, charts, scripts } = await visit(file);
      expect(complaints).toEqual([]);
      expect(scripts).toBe(0);
      expect(charts.map((c) => c.id)).toContain('predicted');
    },
  );
});

describe('the document', () => {
  it('names the author’s lines that the winner’s code comes from', () => {
    const { lines, source } = document.code;
    const from = lines.flatMap((l) => (l.from === undefined ? [] : [l.from]));
    expect(new Set(from).size).toBeGreaterThan(10);
    expect(source!.file).toMatch(/forward\.ts$/);
    for (const line of from) expect(source!.lines[line - source!.first]).toBeDefined();
  });

  it('says for every rejected shape why, with numbers, and what would fit', () => {
    const rejected = document.configurations.filter((c) => c.state === 'rejected');
    expect(rejected.length).toBeGreaterThan(0);
    for (const c of rejected) {
      expect(c.rejection!.arithmetic).toMatch(/\d/);
      expect(c.rejection!.fix.length).toBeGreaterThan(10);
    }
  });

  it('has a bar of the timeline for every block, none over another of its unit', () => {
    const units = Map.groupBy(document.timeline, (b) => `${b.launch} ${b.unit}`);
    for (const bars of units.values()) {
      bars.sort((a, b) => a.begin - b.begin);
      bars.slice(1).forEach((b, i) => expect(b.begin).toBeGreaterThanOrEqual(bars[i]!.end * 0.999 - 1e-6));
    }
  });

  it('is told in about twenty lines', () => {
    expect(summary(document, 'r.html').split('\n').length).toBeLessThanOrEqual(24);
  });

  it('compares with itself as the same, and with a slower one by how much', () => {
    expect(compareReports(document, document)).toMatchObject({
      sameTable: true,
      movedCells: [],
      bestUs: { ratio: 1 },
    });
    const slower = { ...document, best: { ...document.best, predictedUs: document.best.predictedUs * 2 } };
    expect(compareReports(document, slower).bestUs.ratio).toBeCloseTo(2);
  });
});
