/** Shorthand for hand-made Thread IR: the kernels beside it exercise the CUDA backend without a compiler in front. */
import { constI, declare, Registers, varRef } from '../../compiler/thread/build.ts';
import type {
  Expr,
  GlobalBuffer,
  MemoryElement,
  RegType,
  SharedBuffer,
  Stmt,
  ThreadKernel,
  ThreadParam,
  Var,
} from '../../compiler/thread/nodes.ts';
import type { Span } from '../../compiler/ir/span.ts';

export const at = (line: number): Span => ({ file: 'hand-made.ts', line, column: 1 });

export const buffer = (
  name: string,
  element: MemoryElement,
  access: GlobalBuffer['access'],
  length: Expr | number,
): GlobalBuffer => ({ name, element, access, length: typeof length === 'number' ? constI(length) : length });

export const shared = (
  id: number,
  name: string,
  element: MemoryElement,
  bytes: number,
  offset: number,
  note = '',
): SharedBuffer => ({ id, name, element, bytes, offset, note, span: at(1) });

/** Collects statements; `set` declares a named register and returns its reading expression. */
export class Body {
  readonly statements: Stmt[] = [];
  readonly registers: Registers;
  #line = 1;

  constructor(registers = new Registers()) {
    this.registers = registers;
  }

  get span(): Span {
    return at(this.#line);
  }

  push(...s: (Stmt | readonly Stmt[])[]): this {
    this.statements.push(...s.flat());
    return this;
  }

  next(): this {
    this.#line++;
    return this;
  }

  set(name: string, value: Expr): Expr {
    const v = this.registers.scalar(name, value.type);
    this.push(declare(this.span, v, value));
    return varRef(v);
  }

  scalar(name: string, type: RegType, init?: Expr): Var {
    const v = this.registers.scalar(name, type);
    this.push(declare(this.span, v, init));
    return v;
  }

  array(name: string, type: RegType, size: number): Var {
    const v = this.registers.array(name, type, size);
    this.push(declare(this.span, v));
    return v;
  }

  /** A nested statement list that shares registers. */
  inner(fill: (b: Body) => void): Stmt[] {
    const b = new Body(this.registers);
    b.#line = this.#line;
    fill(b);
    return b.statements;
  }
}

export interface KernelParts {
  readonly threads: number;
  readonly buffers: readonly GlobalBuffer[];
  readonly params?: readonly ThreadParam[];
  readonly shared?: readonly SharedBuffer[];
  readonly minBlocks?: number;
  readonly spec?: ThreadKernel['spec'];
  readonly tile?: ThreadKernel['tile'];
}

export const kernel = (name: string, parts: KernelParts, body: Body): ThreadKernel => ({
  name,
  target: 'cuda:sm_80',
  threads: parts.threads,
  minBlocks: parts.minBlocks ?? 0,
  buffers: parts.buffers,
  params: parts.params ?? [],
  shared: parts.shared ?? [],
  sharedBytes: Math.max(0, ...(parts.shared ?? []).map((b) => b.offset + b.bytes)),
  body: body.statements,
  spec: parts.spec ?? {},
  tile: parts.tile ?? {},
  span: at(1),
});
