/** Thread IR statements as C. Memory statements are in memory.ts. */
import type { LValue, SharedBuffer, Stmt, TensorMap, Var } from '../../../compiler/thread/nodes.ts';
import { type Expressions, typeNames } from './expression.ts';
import { emitMemory, type MemoryContext } from './memory.ts';
import type { Helper } from './helpers.ts';
import type { Names } from './names.ts';
import type { Widths } from './wide.ts';
import { emitWarpgroup } from './warpgroup.ts';
import type { Writer } from './writer.ts';

export interface StatementContext {
  readonly writer: Writer;
  readonly names: Names;
  readonly widths: Widths;
  readonly expressions: Expressions;
  readonly use: (helper: Helper) => void;
  readonly sharedPointer: (b: SharedBuffer) => string;
  readonly sharedAddress: (b: SharedBuffer) => string;
  readonly mapName: (m: TensorMap) => string;
}

export class Statements {
  readonly #c: StatementContext;
  readonly #memory: MemoryContext;

  constructor(context: StatementContext) {
    this.#c = context;
    this.#memory = { ...context, lvalue: (l) => this.#lvalue(l) };
  }

  body(statements: readonly Stmt[]): void {
    this.#c.names.scoped(() => {
      for (const s of statements) this.#statement(s);
    });
  }

  #lvalue(l: LValue): string {
    const name = this.#c.names.of(l.var);
    return l.index ? `${name}[${this.#c.expressions.text(l.index)}]` : name;
  }

  #type(v: Var): string {
    return this.#c.widths.isWideVar(v) ? 'long long' : typeNames[v.type];
  }

  #value(v: Var, value: Parameters<Expressions['text']>[0]): string {
    const x = this.#c.expressions;
    return this.#c.widths.isWideVar(v) ? x.wide(value) : x.text(value);
  }

  #statement(s: Stmt): void {
    const { writer, expressions: x, names } = this.#c;
    if (s.s !== 'comment') writer.from(s.span);
    switch (s.s) {
      case 'comment':
        for (const line of s.text.split('\n')) writer.line(`// ${line.replace(/\\$/, '')}`);
        return;
      case 'declare': {
        // The initial value is read before the name is known: it cannot mean itself.
        const init = s.init && this.#value(s.var, s.init);
        const name = names.declare(s.var);
        const size = s.var.size === undefined ? '' : `[${s.var.size}]`;
        writer.line(`${this.#type(s.var)} ${name}${size}${init === undefined ? '' : ` = ${init}`};`);
        return;
      }
      case 'assign':
        writer.line(`${this.#lvalue(s.to)} = ${this.#value(s.to.var, s.value)};`);
        return;
      case 'for':
        this.#loop(s);
        return;
      case 'while':
        writer.block(`while (${x.text(s.cond)}) {`, () => this.body(s.body));
        return;
      case 'if':
        this.#branch(s);
        return;
      case 'barrier':
        if (s.threads === undefined) writer.line('__syncthreads();');
        else writer.line(`asm volatile("bar.sync 1, ${s.threads};" ::: "memory");`);
        return;
      case 'warpBarrier':
        writer.line('__syncwarp();');
        return;
      case 'cpAsyncCommit':
        this.#c.use('cp_async_commit');
        writer.line('cp_async_commit();');
        return;
      case 'cpAsyncWait':
        this.#c.use('cp_async_wait');
        writer.line(`cp_async_wait<${s.pending}>();`);
        return;
      case 'proxyFence':
        this.#c.use('proxy_fence');
        writer.line('proxy_fence();');
        return;
      case 'mma': {
        this.#c.use(`mma_${s.element}`);
        const operands = [...s.acc.map((l) => this.#lvalue(l)), ...[...s.a, ...s.b].map((e) => x.text(e))];
        writer.line(`mma_m16n8k16_${s.element}(${operands.join(', ')});`);
        return;
      }
      case 'wgmma':
      case 'wgmmaFence':
      case 'wgmmaCommit':
      case 'wgmmaWait':
      case 'setMaxRegisters':
        return emitWarpgroup(this.#c, s);
      case 'shuffleXor': {
        const shuffled = `__shfl_xor_sync(0xffffffffu, ${x.text(s.value)}, ${s.mask})`;
        writer.line(`${this.#lvalue(s.dst)} = ${shuffled};`);
        return;
      }
      case 'warpAny':
        writer.line(`${this.#lvalue(s.dst)} = __any_sync(0xffffffffu, ${x.text(s.value)});`);
        return;
      default:
        emitMemory(this.#memory, s);
    }
  }

  #loop(s: Stmt & { s: 'for' }): void {
    const { writer, expressions: x, names } = this.#c;
    if (s.unroll) writer.line('#pragma unroll');
    names.scoped(() => {
      const lo = x.text(s.lo);
      // Bounds are evaluated once, before the first trip.
      const constant = this.#c.widths.isFixed(s.hi);
      const hi = x.text(s.hi);
      const iv = names.declare(s.iv);
      const end = constant ? hi : names.fresh(`${s.iv.name}_end`);
      const init = constant ? `int ${iv} = ${lo}` : `int ${iv} = ${lo}, ${end} = ${hi}`;
      const advance = s.step === 1 ? `++${iv}` : `${iv} += ${s.step}`;
      writer.block(`for (${init}; ${iv} < ${end}; ${advance}) {`, () => this.body(s.body));
    });
  }

  #branch(s: Stmt & { s: 'if' }): void {
    const { writer, expressions: x } = this.#c;
    const cond = x.text(s.cond);
    if (s.then.length === 0 && s.else.length > 0) {
      writer.block(`if (!(${cond})) {`, () => this.body(s.else));
      return;
    }
    if (s.else.length === 0) {
      writer.block(`if (${cond}) {`, () => this.body(s.then));
      return;
    }
    writer.block(`if (${cond}) {`, () => this.body(s.then), '} else {');
    writer.indented(() => this.body(s.else));
    writer.line('}');
  }
}
