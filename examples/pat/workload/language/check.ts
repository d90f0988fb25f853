/** What a workload file may not say although it reads well. Every fault, with its place. */
import { closest } from '../../../../compiler/diagnostics/closest.ts';
import type { Diagnostic } from '../../../../compiler/diagnostics/error.ts';
import type { Span } from '../../../../compiler/ir/span.ts';
import { dtypes } from '../../heads.ts';
import type { Block, GroupStatement, NodeStatement, Setting, Statement } from './ast.ts';

/** Sequences and tokens that a file may describe. */
export const maxSequences = 1 << 20;
const maxTokens = 1 << 27;

export function checkStatements(statements: readonly Statement[]): Diagnostic[] {
  const faults: Diagnostic[] = [];
  const fault = (span: Span, message: string, help?: string) =>
    faults.push({ code: 'PAT0501', message, span, ...(help ? { help } : {}) });
  const groups = new Map(statements.flatMap((s) => (s.kind === 'group' ? [[s.name, s] as const] : [])));
  const seen = new Map<string, Setting>();
  const names = new Set<string>();

  const range = (node: NodeStatement): void => {
    const { from, to, span } = node.tokens;
    if (to < from) fault(span, `${node.name}: the range ${from}..${to} is empty`, `write ${to}..${from}`);
    if (to > maxTokens) fault(span, `${node.name}: ${to} tokens, at most ${maxTokens} are supported`);
    if (node.times < 1) fault(node.span, `${node.name}: * ${node.times} makes nothing`);
    if (node.queries < 1) fault(node.span, `${node.name}: a sequence has at least 1 query token`);
    if (node.queries > 1 && node.body)
      fault(node.span, `${node.name}: only sequences have query tokens, and this node has a block`);
  };
  const block = (body: Block, owner: string, span: Span): void => {
    if (body.statements.length === 0)
      fault(
        span,
        `${owner} has an empty block`,
        'put sequences into it, or leave the braces out to make it one',
      );
    for (const s of body.statements) item(s);
  };
  const item = (s: Block['statements'][number]): void => {
    if (s.kind === 'use') {
      if (s.times < 1) fault(s.span, `use ${s.name}: * ${s.times} makes nothing`);
      if (groups.has(s.name)) return;
      const near = closest(s.name, [...groups.keys()]);
      fault(
        s.span,
        `there is no group '${s.name}'`,
        near ? `did you mean '${near}'?` : 'define it: group NAME { … }',
      );
    } else if (s.kind === 'stop') {
      if (s.times < 1) fault(s.span, `stop * ${s.times} makes nothing`);
    } else {
      names.add(s.name);
      range(s);
      if (s.body) block(s.body, s.name, s.span);
    }
  };

  for (const s of statements) {
    if (s.kind === 'setting') {
      setting(s, fault);
      const earlier = seen.get(s.name);
      if (earlier) fault(s.span, `${s.name} was already set on line ${earlier.span.line}`);
      seen.set(s.name, s);
    } else if (s.kind === 'group') {
      if (groups.get(s.name) !== s) fault(s.span, `a group '${s.name}' is defined twice`);
      block(s.body, `group ${s.name}`, s.span);
    } else if (s.kind === 'leave') {
      if (s.times < 1) fault(s.span, `leave ${s.name} * ${s.times} makes nothing`);
    } else if (s.kind !== 'decode') item(s);
  }
  for (const s of statements)
    if (s.kind === 'leave' && !names.has(s.name)) {
      const near = closest(s.name, [...names]);
      fault(s.span, `no sequence is called '${s.name}'`, near && `did you mean '${near}'?`);
    }
  recursion(groups, fault);
  return faults;
}

function setting(s: Setting, fault: (span: Span, message: string, help?: string) => void): void {
  if (s.name === 'page' && !(Number(s.value) >= 1 && Number(s.value) <= 1 << 20))
    fault(s.span, `page ${s.value}: expected 1 to ${1 << 20} tokens`);
  if (s.name === 'seed' && Number(s.value) >= 2 ** 32)
    fault(s.span, `seed ${s.value}: expected a number below 2^32`);
  if (s.name === 'dtype' && !dtypes.some((d) => d === s.value))
    fault(s.span, `dtype '${s.value}': expected ${dtypes.join(', ')}`);
}

function recursion(
  groups: ReadonlyMap<string, GroupStatement>,
  fault: (span: Span, message: string) => void,
): void {
  const uses = (body: Block): string[] =>
    body.statements.flatMap((s) =>
      s.kind === 'use' ? [s.name] : s.kind === 'node' && s.body ? uses(s.body) : [],
    );
  const state = new Map<string, 'open' | 'done'>();
  const visit = (group: GroupStatement): boolean => {
    if (state.get(group.name) === 'done') return false;
    if (state.get(group.name) === 'open') return true;
    state.set(group.name, 'open');
    const cyclic = uses(group.body).some((name) => groups.has(name) && visit(groups.get(name)!));
    if (cyclic) fault(group.span, `group ${group.name} uses itself`);
    state.set(group.name, 'done');
    return false;
  };
  for (const g of groups.values()) visit(g);
}
