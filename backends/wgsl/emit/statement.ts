/** Statements as WGSL text. */
import { intOf } from '../../../compiler/thread/build.ts';
import type { Expr, LValue, Stmt, Var } from '../../../compiler/thread/nodes.ts';
import type { Span } from '../../../compiler/ir/span.ts';
import { fail } from '../../../compiler/diagnostics/error.ts';
import { hasBarrier, type Uniformity } from './uniformity.ts';
import type { Expressions } from './expression.ts';
import type { Helpers } from './helpers.ts';
import type { Memory } from './memory.ts';
import { narrow } from './registers.ts';
import { deferrable, type Values } from './values.ts';
import type { Writer } from './writer.ts';

export interface StatementScope {
  readonly writer: Writer;
  readonly expressions: Expressions;
  readonly memory: Memory;
  readonly helpers: Helpers;
  readonly uniformity: Uniformity;
  readonly values: Values;
  readonly target: (to: LValue) => string;
  /** Whether anything but its declaration writes the variable. */
  readonly isWritten: (v: Var) => boolean;
  /** Whether threads of a block pass values through global memory. */
  readonly sharesGlobal: boolean;
}

export class Statements {
  private readonly c: StatementScope;

  constructor(c: StatementScope) {
    this.c = c;
  }

  block(body: readonly Stmt[]): void {
    const { writer, values, expressions: x } = this.c;
    const deferred = deferrable(body);
    for (let i = 0; i < body.length; i++) {
      const s = body[i]!;
      if (s.s !== 'comment' && s.s !== 'declare') writer.at(s.span);
      if (isStore(s) && s.pred) {
        // Neighbours under one condition share its branch.
        const cond = x.text(s.pred);
        values.block(`if (${cond})`, () => {
          for (let next: Stmt | undefined = s; next; next = body[++i]) {
            if (!isStore(next) || !next.pred || x.text(next.pred) !== cond) break;
            writer.at(next.span);
            const { pred: _, ...always } = next;
            this.statement(always as Stmt);
          }
        });
        i--;
      } else if (s.s === 'declare' && deferred.has(s)) values.defer(s.var);
      else this.statement(s);
    }
  }

  private statement(s: Stmt): void {
    const { writer, expressions: x, memory } = this.c;
    switch (s.s) {
      case 'comment':
        return writer.line(`// ${s.text.replace(/\s+/g, ' ')}`);
      case 'declare':
        return this.declaration(s);
      case 'assign': {
        const value = x.text(s.value);
        if (!this.c.values.takePending(s.to)) return writer.line(`${this.c.target(s.to)} = ${value};`);
        return this.named(s.to.var, s.value, value);
      }
      case 'for':
        return this.counted(s);
      case 'while':
        return this.loop(s);
      case 'if':
        return this.branch(s);
      case 'barrier':
        if (this.c.sharesGlobal) writer.line('storageBarrier();');
        return writer.line('workgroupBarrier();');
      case 'warpBarrier':
        // A warp is one invocation here.
        return;
      case 'loadGlobalWords':
      case 'storeGlobalWords':
      case 'storeGlobal':
      case 'atomicGlobal':
      case 'loadShared':
      case 'storeShared':
        return (memory[s.s] as (s: Stmt) => void).call(memory, s);
      default:
        return fail('PAT0303', `WGSL has no ${s.s}`, {
          span: s.span,
          help: 'lower the kernel for a wgsl target',
        });
    }
  }

  private declaration(s: Extract<Stmt, { s: 'declare' }>): void {
    const { writer, expressions: x, values } = this.c;
    const v = s.var;
    if (s.init && !this.c.isWritten(v)) return this.named(v, s.init, x.text(s.init), s.span);
    const value = s.init && x.text(s.init);
    const type = v.size === undefined ? v.type : `array<${v.type}, ${v.size}>`;
    writer.at(s.span);
    const name = values.declare(v, 'written');
    writer.line(value === undefined ? `var ${name}: ${type};` : `var ${name}: ${type} = ${value};`);
  }

  /** A register that never changes, or another name for one that holds the same. */
  private named(v: Var, e: Expr, text: string, span?: Span): void {
    const { writer, values } = this.c;
    const key = `${v.type} ${text}`;
    const same = values.isFixed(e) ? values.known(key) : undefined;
    if (same !== undefined) return values.alias(v, same);
    if (span) writer.at(span);
    const fixed = values.isFixed(e);
    narrow(v, e);
    const name = values.declare(v, 'fixed');
    writer.line(`let ${name}: ${v.type} = ${text};`);
    if (fixed) values.remember(key, name);
  }

  /** A value that all invocations hold alike, in a form that WGSL's analysis accepts. */
  private uniform(e: Expr): string {
    const { writer, helpers, expressions: x, values } = this.c;
    if (this.c.uniformity.of(e)) return x.text(e);
    helpers.uniformWord = true;
    const word = e.type === 'bool' ? `u32(${x.text(e)})` : x.as('u32', e);
    writer.block('if (thread == 0)', () => writer.line(`uniform_word = ${word};`));
    const name = values.fresh('same');
    const loaded = 'workgroupUniformLoad(&uniform_word)';
    writer.line(
      `let ${name} = ${e.type === 'bool' ? `${loaded} != 0u` : e.type === 'u32' ? loaded : `bitcast<${e.type}>(${loaded})`};`,
    );
    return name;
  }

  private counted(s: Extract<Stmt, { s: 'for' }>): void {
    const { writer, expressions: x, values } = this.c;
    const sync = hasBarrier(s.body);
    const lo = sync ? this.uniform(s.lo) : x.text(s.lo);
    let hi = sync ? this.uniform(s.hi) : x.text(s.hi);
    const name = values.declare(s.iv, 'fixed');
    if (intOf(s.hi) === undefined && !/^[\w.]+$/.test(hi)) {
      const end = values.fresh(`${name}_end`);
      writer.line(`let ${end} = ${hi};`);
      hi = end;
    }
    const step = s.step === 1 ? `${name}++` : `${name} += ${s.step}`;
    values.block(`for (var ${name}: i32 = ${lo}; ${name} < ${hi}; ${step})`, () => this.block(s.body));
  }

  private loop(s: Extract<Stmt, { s: 'while' }>): void {
    const { writer, expressions: x, values } = this.c;
    if (!hasBarrier(s.body) || this.c.uniformity.of(s.cond))
      return values.block(`while (${x.text(s.cond)})`, () => this.block(s.body));
    values.block('loop', () => {
      const again = this.uniform(s.cond);
      writer.block(`if (!${again})`, () => writer.line('break;'));
      this.block(s.body);
    });
  }

  private branch(s: Extract<Stmt, { s: 'if' }>): void {
    const { writer, expressions: x, values } = this.c;
    const sync = hasBarrier(s.then) || hasBarrier(s.else);
    const cond = sync ? this.uniform(s.cond) : x.text(s.cond);
    if (s.else.length === 0) return values.block(`if (${cond})`, () => this.block(s.then));
    values.block(`if (${cond})`, () => this.block(s.then), '} else {');
    writer.indented(() => values.scope(() => this.block(s.else)));
    writer.line('}');
  }
}

type Store = Extract<Stmt, { s: 'storeGlobal' | 'storeGlobalWords' | 'storeShared' }>;
const isStore = (s: Stmt): s is Store =>
  s.s === 'storeGlobal' || s.s === 'storeGlobalWords' || s.s === 'storeShared';
