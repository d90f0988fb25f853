/** Statements as WGSL text. */
import { intOf } from '../../../compiler/thread/build.ts';
import type { Expr, LValue, Stmt, Var } from '../../../compiler/thread/nodes.ts';
import { fail } from '../../../compiler/diagnostics/error.ts';
import { hasBarrier, type Uniformity } from './uniformity.ts';
import type { Expressions } from './expression.ts';
import type { Helpers } from './helpers.ts';
import type { Memory } from './memory.ts';
import type { Writer } from './writer.ts';

export interface StatementScope {
  readonly writer: Writer;
  readonly expressions: Expressions;
  readonly memory: Memory;
  readonly helpers: Helpers;
  readonly uniformity: Uniformity;
  /** A new name for the variable, for this declaration of it. */
  readonly declare: (v: Var) => string;
  readonly fresh: (wish: string) => string;
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
    for (const s of body) {
      if (s.s !== 'comment') this.c.writer.at(s.span);
      this.statement(s);
    }
  }

  private statement(s: Stmt): void {
    const { writer, expressions: x, memory } = this.c;
    switch (s.s) {
      case 'comment':
        return writer.line(`// ${s.text.replace(/\s+/g, ' ')}`);
      case 'declare':
        return this.declaration(s.var, s.init);
      case 'assign': {
        const value = x.text(s.value);
        return writer.line(`${this.c.target(s.to)} = ${value};`);
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

  private declaration(v: Var, init: Expr | undefined): void {
    const { writer, expressions: x } = this.c;
    const value = init && x.text(init);
    const name = this.c.declare(v);
    const type = v.size === undefined ? v.type : `array<${v.type}, ${v.size}>`;
    if (value === undefined) return writer.line(`var ${name}: ${type};`);
    // Constants need their type spelt out.
    const keyword = this.c.isWritten(v) ? 'var' : 'let';
    writer.line(`${keyword} ${name}: ${type} = ${value};`);
  }

  /** A value that all invocations hold alike, in a form that WGSL's analysis accepts. */
  private uniform(e: Expr): string {
    const { writer, helpers, expressions: x, fresh } = this.c;
    if (this.c.uniformity.of(e)) return x.text(e);
    helpers.uniformWord = true;
    const word = e.type === 'bool' ? `u32(${x.text(e)})` : x.as('u32', e);
    writer.block('if (thread == 0)', () => writer.line(`uniform_word = ${word};`));
    const name = fresh('same');
    const loaded = 'workgroupUniformLoad(&uniform_word)';
    writer.line(
      `let ${name} = ${e.type === 'bool' ? `${loaded} != 0u` : e.type === 'u32' ? loaded : `bitcast<${e.type}>(${loaded})`};`,
    );
    return name;
  }

  private counted(s: Extract<Stmt, { s: 'for' }>): void {
    const { writer, expressions: x, fresh } = this.c;
    const sync = hasBarrier(s.body);
    const lo = sync ? this.uniform(s.lo) : x.text(s.lo);
    let hi = sync ? this.uniform(s.hi) : x.text(s.hi);
    const name = this.c.declare(s.iv);
    if (intOf(s.hi) === undefined && !/^[\w.]+$/.test(hi)) {
      const end = fresh(`${name}_end`);
      writer.line(`let ${end} = ${hi};`);
      hi = end;
    }
    const step = s.step === 1 ? `${name}++` : `${name} += ${s.step}`;
    writer.block(`for (var ${name}: i32 = ${lo}; ${name} < ${hi}; ${step})`, () => this.block(s.body));
  }

  private loop(s: Extract<Stmt, { s: 'while' }>): void {
    const { writer, expressions: x } = this.c;
    if (!hasBarrier(s.body) || this.c.uniformity.of(s.cond))
      return writer.block(`while (${x.text(s.cond)})`, () => this.block(s.body));
    writer.block('loop', () => {
      const again = this.uniform(s.cond);
      writer.block(`if (!${again})`, () => writer.line('break;'));
      this.block(s.body);
    });
  }

  private branch(s: Extract<Stmt, { s: 'if' }>): void {
    const { writer, expressions: x } = this.c;
    const sync = hasBarrier(s.then) || hasBarrier(s.else);
    const cond = sync ? this.uniform(s.cond) : x.text(s.cond);
    if (s.else.length === 0) return writer.block(`if (${cond})`, () => this.block(s.then));
    writer.block(`if (${cond})`, () => this.block(s.then), '} else {');
    writer.indented(() => this.block(s.else));
    writer.line('}');
  }
}
