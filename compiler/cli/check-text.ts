/** What `patc check` says at a terminal. */
import type { AccessStatistics } from '../../backends/cpu/simulator/index.ts';
import type { Diagnostic } from '../diagnostics/error.ts';
import { renderDiagnostic } from '../diagnostics/terminal.ts';
import { showSpan } from '../ir/span.ts';
import type { Budget, Checked, Simulated } from './checking.ts';
import { changes, type Refused } from './fitting.ts';
import { bytes, showTile, table } from './output.ts';

const shownBudgets = 12;
const shownAccesses = 10;

export function checkText(ok: boolean, lint: readonly Diagnostic[], checked: readonly Checked[]): string {
  const lines = lint.map((l) => renderDiagnostic(l));
  for (const { target, budgets, refused, simulated } of checked) {
    lines.push(`${target.name}: ${bytes(target.sharedBytes)} of shared memory a block`);
    for (const r of refused) lines.push(...refusedText(r, target.name));
    for (const b of budgets.slice(0, shownBudgets)) lines.push(...budgetText(b));
    const more = budgets.length - shownBudgets;
    if (more > 0) lines.push(`  … and ${more} more (--json lists all)`);
    if (simulated.length === 0)
      lines.push('  not simulated: there is no program that launches these kernels');
    for (const s of simulated) lines.push(...simulatedText(s));
  }
  const warnings = checked.flatMap((c) => c.simulated.flatMap((s) => s.warnings)).length;
  lines.push(ok ? `ok${warnings ? `, ${warnings} warning${warnings === 1 ? '' : 's'}` : ''}` : 'not ok');
  return lines.join('\n');
}

const exact = (n: number): string => `${n.toLocaleString('en')} B`;

/** `3 stages x 64 x 128 x 2 B = 49,152 B, xor swizzle`; a row pitch pads, so the product comes behind it. */
function arithmetic(note: string, total: number): string {
  const [product, ...rest] = note.split(', ');
  return note.includes('pitch')
    ? `${note} = ${exact(total)}`
    : [`${product} = ${exact(total)}`, ...rest].join(', ');
}

function budgetText(b: Budget): string[] {
  const head = `  ${b.kernel} ${showTile(b.tile)}: ${b.threads} threads, ${exact(b.sharedBytes)} shared`;
  const rows = b.buffers.map((x) => [`${x.name}:`, arithmetic(x.note, x.bytes), showSpan(x.span)]);
  return rows.length ? [head, table(rows, '    ')] : [head];
}

function refusedText({ kernel, tile, error, fits }: Refused, target: string): string[] {
  const first = error.diagnostics[0]!;
  const rows = (first.notes ?? []).map((n) => [n.text, n.span ? showSpan(n.span) : '']);
  return [
    `  ${kernel} ${showTile(tile)} does not fit: ${first.message}`,
    ...(rows.length ? [table(rows, '    ')] : []),
    `    with ${changes(tile, fits)} it fits ${target}`,
  ];
}

function simulatedText(s: Simulated): string[] {
  const times = (f: { count: number }): string => (f.count > 1 ? `\n   = ${f.count} times` : '');
  const findings = [
    ...s.errors.map((f) => renderDiagnostic(f) + times(f)),
    ...s.warnings.map((f) => renderDiagnostic(f).replace('error[', 'warning[') + times(f)),
  ];
  const numbers =
    s.relError === null
      ? 'not compared'
      : `relative error ${s.relError.toExponential(2)}${s.ok ? '' : ': WRONG'}`;
  const found = `${s.errors.length} errors, ${s.warnings.length} warnings`;
  return [
    `  simulated ${s.tile}: ${s.launches} launches, ${found}, ${numbers}`,
    ...accessText(s.accesses),
    ...findings,
  ];
}

/** Accesses that cost more than they need, the costliest first. */
function accessText(accesses: readonly (AccessStatistics & { kernel: string })[]): string[] {
  const dear = accesses
    .filter((a) => a.spent > a.ideal)
    .sort((a, b) => b.spent - b.ideal - (a.spent - a.ideal));
  if (dear.length === 0) return [];
  const rows = dear
    .slice(0, shownAccesses)
    .map((a) => [
      `${a.space} ${a.kind} of ${a.buffer}`,
      a.space === 'shared'
        ? `${a.worst}-way bank conflict at worst, ${(a.spent / a.requests).toFixed(1)} wavefronts a request, ${(a.ideal / a.requests).toFixed(1)} would do`
        : `${(a.spent / a.requests).toFixed(1)} sectors a request, ${(a.ideal / a.requests).toFixed(1)} would do`,
      showSpan(a.span),
    ]);
  const more = dear.length - shownAccesses;
  return [table(rows, '    '), ...(more > 0 ? [`    … and ${more} more (--json lists all)`] : [])];
}
