/**
 * Runs a workload file: statements in order, random lengths from its seed. Nodes hand out pages; a node's tokens behind its
 * last full page are copied into each child's own page, as servers do, unless the child is `in-place`. Decoding appends
 * tokens, and copies a partly filled page that somebody else uses too.
 */
import { PatcError } from '../../../../compiler/diagnostics/error.ts';
import { Random } from '../../../../compiler/ir/random.ts';
import type { BatchInput } from '../../batch.ts';
import type { Block, NodeStatement, Statement } from './ast.ts';
import { maxSequences } from './check.ts';

interface Sequence {
  readonly name: string;
  readonly queries: number;
  length: number;
  pages: number[];
}

interface Stem {
  readonly length: number;
  readonly pages: readonly number[];
}

const maxPages = 1 << 26;

class Evaluator {
  readonly running: Sequence[] = [];
  private readonly page: number;
  private readonly random: Random;
  private readonly groups = new Map<string, Block>();
  private next = 0;

  constructor(page: number, seed: number) {
    this.page = page;
    this.random = new Random(seed);
  }

  /** True when the batch changed. */
  run(s: Statement): boolean {
    switch (s.kind) {
      case 'setting':
        return false;
      case 'group':
        this.groups.set(s.name, s.body);
        return false;
      case 'decode':
        this.decode(s.steps);
        return true;
      case 'leave':
        for (let left = s.times; left > 0; left--) {
          const at = this.running.findIndex((r) => r.name === s.name);
          if (at < 0)
            throw new PatcError({
              code: 'PAT0501',
              message: `leave ${s.name} * ${s.times}: only ${s.times - left} are running`,
              span: s.span,
            });
          this.running.splice(at, 1);
        }
        return true;
      default:
        this.item(s, { length: 0, pages: [] }, s.kind);
        return true;
    }
  }

  batch(): BatchInput {
    return {
      page: this.page,
      poolPages: Math.max(1, this.next),
      sequences: this.running.map(({ length, pages, queries }) => ({ length, pages: [...pages], queries })),
    };
  }

  private block(body: Block, stem: Stem, owner: string): void {
    for (const s of body.statements) this.item(s, stem, owner);
  }

  private item(s: Block['statements'][number], stem: Stem, owner: string): void {
    for (let i = 0; i < s.times; i++) {
      if (s.kind === 'node') this.node(s, stem);
      else if (s.kind === 'use') this.block(this.groups.get(s.name)!, stem, s.name);
      else this.add(s, owner, stem.length, [...stem.pages], 1);
    }
  }

  private node(s: NodeStatement, stem: Stem): void {
    const { from, to } = s.tokens;
    const length = stem.length + (from === to ? from : this.random.integer(from, to + 1));
    const kept = s.inPlace ? Math.ceil(stem.length / this.page) : Math.floor(stem.length / this.page);
    const pages = stem.pages.slice(0, kept);
    this.fill(s, pages, length);
    if (s.body) this.block(s.body, { length, pages }, s.name);
    else this.add(s, s.name, length, pages, s.queries);
  }

  private add(s: Statement, name: string, length: number, pages: number[], queries: number): void {
    if (queries > length)
      throw new PatcError({
        code: 'PAT0501',
        message: `${name}: ${queries} query tokens, but only ${length} tokens`,
        span: s.span,
      });
    if (this.running.length >= maxSequences)
      throw new PatcError({ code: 'PAT0501', message: `more than ${maxSequences} sequences`, span: s.span });
    this.running.push({ name, queries, length, pages });
  }

  private fill(s: Statement, pages: number[], length: number): void {
    while (pages.length * this.page < length) pages.push(this.next++);
    if (this.next > maxPages)
      throw new PatcError({
        code: 'PAT0501',
        message: `more than ${maxPages} pages of ${this.page} tokens`,
        span: s.span,
      });
  }

  private decode(steps: number): void {
    if (steps === 0) return;
    const users = new Map<number, number>();
    for (const { pages } of this.running) for (const id of pages) users.set(id, (users.get(id) ?? 0) + 1);
    for (const sequence of this.running) {
      const { pages } = sequence;
      const last = pages.length - 1;
      if (sequence.length % this.page !== 0 && users.get(pages[last]!)! > 1) {
        users.set(pages[last]!, users.get(pages[last]!)! - 1);
        pages[last] = this.next++;
      }
      sequence.length += steps;
      while (pages.length * this.page < sequence.length) pages.push(this.next++);
    }
  }
}

/** The batch after each statement that changes it; the last one is the workload. */
export function evaluate(statements: readonly Statement[], page: number, seed: number): BatchInput[] {
  const evaluator = new Evaluator(page, seed);
  const groups = statements.filter((s) => s.kind === 'group');
  for (const g of groups) evaluator.run(g);
  const states: BatchInput[] = [];
  for (const s of statements) if (evaluator.run(s)) states.push(evaluator.batch());
  return states;
}
