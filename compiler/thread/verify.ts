/**
 * The rules of Thread IR, checked before a backend sees it. Everything here is a fault of the lowering, so messages name
 * the rule and the operands; the span is the author's line that was being lowered. What depends on run-time values
 * (bounds, races, real divergence) is the simulator's part.
 */
import { fail } from '../diagnostics/error.ts';
import { elementBytes } from '../ir/nodes.ts';
import type { Span } from '../ir/span.ts';
import { findTarget, type Target } from '../target.ts';
import { checkExpr, isStatic, type ExprScope, type Loop } from './verify-expr.ts';
import { congruence } from './linear.ts';
import { rangeOf } from './range.ts';
import { atLeast, Divergence, meet, type Uniformity } from './uniform.ts';
import { exprsOf, writesOf } from './walk.ts';
import { printExpr } from './print.ts';
import type { Expr, GlobalBuffer, LValue, RegType, SharedBuffer, Stmt, ThreadKernel, Var } from './nodes.ts';

/** Throws PatcError PAT0305 at the first rule that is broken. */
export function verifyThread(k: ThreadKernel): void {
  const target = findTarget(k.target);
  if (!target) bad(`unknown target ${k.target}`, k.span);
  checkKernel(k, target);
  new Verifier(k, target).run();
}

function bad(message: string, span: Span): never {
  fail('PAT0305', message, { span });
}

function checkKernel(k: ThreadKernel, target: Target): void {
  if (!Number.isInteger(k.threads) || k.threads < 1 || k.threads > target.maxThreads)
    bad(`${k.name} has ${k.threads} threads; ${target.name} runs 1 to ${target.maxThreads}`, k.span);
  if (k.threads % target.warpSize !== 0)
    bad(`${k.threads} threads are not whole warps of ${target.warpSize}`, k.span);
  if (k.sharedBytes > target.sharedBytes)
    bad(`${k.sharedBytes} B of shared memory; ${target.name} has ${target.sharedBytes} B`, k.span);
  for (const b of k.shared) {
    if (b.offset % 16 !== 0) bad(`shared buffer ${b.name} at ${b.offset} is not 16-byte aligned`, b.span);
    if (b.bytes < 1 || b.offset < 0 || b.offset + b.bytes > k.sharedBytes)
      bad(
        `shared buffer ${b.name}: ${b.offset} + ${b.bytes} B leave the arena of ${k.sharedBytes} B`,
        b.span,
      );
  }
  const names = [...k.params.map((p) => p.name), ...k.buffers.map((b) => b.name)];
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) bad(`two arguments are named ${twice}`, k.span);
  const params = new Map(k.params.map((p) => [p.name, p.type]));
  for (const b of k.buffers) {
    if (b.length.type !== 'i32') bad(`the length of ${b.name} has type ${b.length.type}`, k.span);
    checkExpr(b.length, { params, declared: () => undefined, global: () => false, loops: [] }, k.span);
  }
}

type WarpStmt = Extract<
  Stmt,
  {
    s:
      | 'warpBarrier'
      | 'shuffleXor'
      | 'ldmatrix'
      | 'mma'
      | 'warpAny'
      | 'wgmma'
      | 'wgmmaFence'
      | 'wgmmaCommit'
      | 'wgmmaWait'
      | 'setMaxRegisters';
  }
>;

class Verifier {
  private readonly k: ThreadKernel;
  private readonly target: Target;
  private readonly divergence: Divergence;
  /** What is declared and in scope, by id, and the ids of each open scope. */
  private readonly visible = new Map<number, Var>();
  private readonly scopes: number[][] = [[]];
  private readonly loops: Loop[] = [];
  private readonly scope: ExprScope;
  /** Expressions of the statement at hand that are known to be right: rules of their own look at them again. */
  private readonly checked = new Set<Expr>();

  constructor(k: ThreadKernel, target: Target) {
    this.k = k;
    this.target = target;
    this.divergence = new Divergence(k.body);
    this.scope = {
      params: new Map(k.params.map((p) => [p.name, p.type])),
      declared: (v) => this.visible.get(v.id),
      global: (b) => k.buffers.includes(b) && b.access !== 'write',
      loops: this.loops,
    };
  }

  run(): void {
    this.block(this.k.body, 'block');
  }

  private block(body: readonly Stmt[], flow: Uniformity): void {
    this.scopes.push([]);
    for (const s of body) this.stmt(s, flow);
    this.close();
  }

  private close(): void {
    for (const id of this.scopes.pop()!) this.visible.delete(id);
  }

  private introduce(v: Var, span: Span): void {
    const before = this.visible.get(v.id);
    if (before) bad(`register ${v.name} is declared twice (id ${v.id}, also ${before.name})`, span);
    if (v.size !== undefined && (!Number.isInteger(v.size) || v.size < 1))
      bad(`register array ${v.name} has size ${v.size}`, span);
    this.visible.set(v.id, v);
    this.scopes.at(-1)!.push(v.id);
  }

  private expr(e: Expr, span: Span, type?: RegType): void {
    if (!this.checked.has(e)) {
      checkExpr(e, this.scope, span);
      this.checked.add(e);
    }
    if (type !== undefined && e.type !== type)
      bad(`${printExpr(e)} has type ${e.type}, ${type} is needed`, span);
  }

  private write(to: LValue, span: Span): void {
    // As an expression, a target obeys the same rules.
    if (!to.index) {
      this.expr({ e: 'var', type: to.var.type, var: to.var }, span);
      if (this.loops.some((l) => l.iv === to.var)) bad(`loop variable ${to.var.name} is assigned`, span);
    } else this.expr({ e: 'element', type: to.var.type, var: to.var, index: to.index }, span);
  }

  private stmt(s: Stmt, flow: Uniformity): void {
    this.checked.clear();
    for (const e of exprsOf(s)) this.expr(e, s.span);
    if (s.s !== 'for' && s.s !== 'declare') for (const to of writesOf(s)) this.write(to, s.span);
    if ('pred' in s && s.pred) this.expr(s.pred, s.span, 'bool');
    switch (s.s) {
      case 'declare':
        if (s.init && s.var.size !== undefined)
          bad(`register array ${s.var.name} has an initial value`, s.span);
        if (s.init) this.expr(s.init, s.span, s.var.type);
        return this.introduce(s.var, s.span);
      case 'assign':
        return this.expr(s.value, s.span, s.to.var.type);
      case 'for':
        return this.loop(s, flow);
      case 'while':
        this.expr(s.cond, s.span, 'bool');
        return this.block(s.body, meet(flow, this.divergence.of(s.cond)));
      case 'if':
        return this.branch(s, flow);
      case 'barrier':
        if (s.threads !== undefined && (s.threads % 32 !== 0 || s.threads > this.k.threads))
          bad(`a barrier of ${s.threads} threads in a block of ${this.k.threads}`, s.span);
        return this.need(flow, s.threads === undefined ? 'block' : 'warp', 'a barrier', s.span);
      case 'warpBarrier':
      case 'shuffleXor':
      case 'warpAny':
      case 'ldmatrix':
      case 'mma':
      case 'wgmma':
      case 'wgmmaFence':
      case 'wgmmaCommit':
      case 'wgmmaWait':
      case 'setMaxRegisters':
        if (this.target.warpSize === 1) bad(`${s.s} needs warps; ${this.target.name} has none`, s.span);
        this.need(flow, 'warp', s.s, s.span);
        return this.warp(s);
      default:
        return this.memory(s);
    }
  }

  private loop(s: Extract<Stmt, { s: 'for' }>, flow: Uniformity): void {
    this.expr(s.lo, s.span, 'i32');
    this.expr(s.hi, s.span, 'i32');
    if (s.iv.type !== 'i32' || s.iv.size !== undefined)
      bad(`loop variable ${s.iv.name} is not an i32`, s.span);
    if (!Number.isInteger(s.step) || s.step < 1) bad(`a loop steps by ${s.step}`, s.span);
    if (s.unroll)
      for (const bound of [s.lo, s.hi])
        if (!isStatic(bound, this.loops))
          bad(`unrolled up to ${printExpr(bound)}, which is not static`, s.span);
    this.scopes.push([]);
    this.introduce(s.iv, s.span);
    this.loops.push(s);
    this.block(s.body, meet(flow, this.divergence.of(s.lo), this.divergence.of(s.hi)));
    this.loops.pop();
    this.close();
  }

  private branch(s: Extract<Stmt, { s: 'if' }>, flow: Uniformity): void {
    this.expr(s.cond, s.span, 'bool');
    if (!atLeast(this.widen(this.divergence.of(s.cond)), s.uniform))
      bad(`the condition ${printExpr(s.cond)} is claimed to be ${s.uniform}-uniform and is not`, s.span);
    for (const body of [s.then, s.else]) this.block(body, meet(flow, s.uniform));
  }

  /** A block of one warp is uniform where its warp is; where a warp is one thread, everything is. */
  private widen(level: Uniformity): Uniformity {
    if (level === 'none' && this.target.warpSize === 1) return 'warp';
    return level === 'warp' && this.k.threads <= this.target.warpSize ? 'block' : level;
  }

  private need(flow: Uniformity, need: 'block' | 'warp', what: string, span: Span): void {
    if (!atLeast(this.widen(flow), need))
      bad(`${what} stands in control flow that is not ${need}-uniform`, span);
  }

  private registers(dst: readonly LValue[], types: readonly RegType[], what: string, span: Span): void {
    const wrong = dst.find((d) => !types.includes(d.var.type));
    if (wrong) bad(`${what} writes ${wrong.var.name} of type ${wrong.var.type}`, span);
  }

  private count(n: number, allowed: readonly number[], what: string, span: Span): void {
    if (!allowed.includes(n)) bad(`${what} takes ${allowed.join(', ')} operands, not ${n}`, span);
  }

  private warp(s: WarpStmt): void {
    switch (s.s) {
      case 'warpBarrier':
        return;
      case 'shuffleXor':
        this.expr(s.value, s.span, s.dst.var.type);
        if (!Number.isInteger(s.mask) || s.mask < 1 || s.mask >= this.target.warpSize)
          bad(`shuffle mask ${s.mask} is outside 1..${this.target.warpSize - 1}`, s.span);
        return this.registers([s.dst], ['f32', 'i32', 'u32'], 'a shuffle', s.span);
      case 'warpAny':
        this.expr(s.value, s.span, 'bool');
        return this.registers([s.dst], ['bool'], 'a vote', s.span);
      case 'ldmatrix':
        this.count(s.dst.length, [1, 2, 4], 'ldmatrix', s.span);
        this.registers(s.dst, ['u32'], 'ldmatrix', s.span);
        return this.shared(s.buffer, s.offset, 16, s.span);
      case 'mma':
        if (!this.target.features.mma) bad(`${this.target.name} has no mma`, s.span);
        this.count(s.acc.length, [4], 'mma acc', s.span);
        this.count(s.a.length, [4], 'mma a', s.span);
        this.count(s.b.length, [2], 'mma b', s.span);
        this.registers(s.acc, ['f32'], 'mma', s.span);
        for (const e of [...s.a, ...s.b]) this.expr(e, s.span, 'u32');
        return;
      default:
        return this.warpgroup(s);
    }
  }

  private warpgroup(
    s: Exclude<WarpStmt, { s: 'warpBarrier' | 'shuffleXor' | 'ldmatrix' | 'mma' | 'warpAny' }>,
  ) {
    if (!this.target.features.hopper) bad(`${this.target.name} has no ${s.s}`, s.span);
    switch (s.s) {
      case 'wgmmaCommit':
        return;
      case 'wgmmaFence':
      case 'wgmmaWait':
        for (const v of s.registers)
          if (v.size === undefined || this.visible.get(v.id) !== v)
            bad(`${s.s} of ${v.name}, which is no register array that is declared here`, s.span);
        if (s.s === 'wgmmaWait' && (!Number.isInteger(s.pending) || s.pending < 0 || s.pending > 7))
          bad(`wgmma.wait ${s.pending} is outside 0..7`, s.span);
        return;
      case 'setMaxRegisters':
        if (s.count % 8 !== 0 || s.count < 24 || s.count > 256)
          bad(`${s.count} registers a thread are no multiple of 8 from 24 to 256`, s.span);
        return;
      case 'wgmma':
        return this.wgmma(s);
    }
  }

  private wgmma(s: Extract<Stmt, { s: 'wgmma' }>): void {
    const { columns: n } = s;
    if (this.k.threads % 128 !== 0) bad(`wgmma in a block of ${this.k.threads} threads`, s.span);
    if (n % 8 !== 0 || n < 8 || n > 256) bad(`wgmma of ${n} columns`, s.span);
    this.count(s.acc.length, [n / 2], 'wgmma acc', s.span);
    this.count(s.a.length, [s.left ? 0 : 4], 'wgmma a', s.span);
    this.registers(s.acc, ['f32'], 'wgmma', s.span);
    for (const e of s.a) this.expr(e, s.span, 'u32');
    const at = (l: LValue): number => (l.index?.e === 'const' ? Number(l.index.value) : NaN);
    const first = s.acc[0]!;
    if (s.acc.some((l, i) => l.var !== first.var || at(l) !== at(first) + i))
      bad(`the accumulators of wgmma are not consecutive elements of one array`, s.span);
    for (const bytes of [s.leading, s.stride, ...(s.left ? [s.left.stride] : [])])
      if (bytes % 16 !== 0 || bytes < 0 || bytes >= 1 << 18) bad(`wgmma with a step of ${bytes} B`, s.span);
    for (const { buffer, offset } of s.left ? [s, s.left] : [s]) {
      if ((buffer.offset & 1023) !== 0)
        bad(`wgmma reads ${buffer.name}, which is not 1024-byte aligned`, s.span);
      if (!atLeast(this.divergence.of(offset), 'warp'))
        bad(`the offset ${printExpr(offset)} of wgmma is not the same in all lanes`, s.span);
      this.shared(buffer, offset, 16, s.span);
    }
  }

  private tensorCopy(s: Extract<Stmt, { s: 'tensorCopy' }>): void {
    const { map, span } = s;
    if (!this.target.features.hopper) bad(`${this.target.name} has no tensor copies`, span);
    const eb = elementBytes(map.buffer.element);
    const rank = map.extents.length;
    if (rank < 1 || rank > 5) bad(`a tensor map of ${rank} dimensions`, span);
    for (const [what, n] of [
      ['strides', map.strides.length + 1],
      ['a box', map.box.length],
      ['coordinates', s.at.length],
    ] as const)
      if (n !== rank) bad(`${what} of ${n} dimensions for a tensor map of ${rank}`, span);
    if (map.box[0]! * eb !== 128 || map.box.some((n) => !Number.isInteger(n) || n < 1 || n > 256))
      bad(`a box of ${map.box.join(' x ')} elements`, span);
    for (const stride of map.strides)
      this.aligned(stride, 16 / eb, `a stride of ${map.buffer.name}`, 16, span);
    for (const c of s.at) this.expr(c, span, 'i32');
    if (s.evictFirst) this.expr(s.evictFirst, span, 'bool');
    this.shared(s.buffer, s.offset, 128, span);
    this.shared(s.barrier, s.barrierOffset, 8, span);
    if (!this.k.buffers.includes(map.buffer)) bad(`${map.buffer.name} is not a buffer of this kernel`, span);
    if (map.buffer.access === 'write') bad(`${map.buffer.name} is write-only and is read`, span);
  }

  private global(
    b: GlobalBuffer,
    index: Expr,
    bytes: number,
    use: 'read' | 'write' | 'both',
    span: Span,
  ): void {
    if (!this.k.buffers.includes(b)) bad(`${b.name} is not a buffer of this kernel`, span);
    if (use !== 'write' && b.access === 'write') bad(`${b.name} is write-only and is read`, span);
    if (use !== 'read' && b.access === 'read') bad(`${b.name} is read-only and is written`, span);
    this.expr(index, span, 'i32');
    if (rangeOf(index).hi < 0) bad(`index ${printExpr(index)} of ${b.name} is negative`, span);
    this.aligned(index, bytes / elementBytes(b.element), `${b.name}[${printExpr(index)}]`, bytes, span);
  }

  private shared(b: SharedBuffer, offset: Expr, bytes: number, span: Span): void {
    if (!this.k.shared.includes(b)) bad(`${b.name} is not a shared buffer of this kernel`, span);
    this.expr(offset, span, 'i32');
    const r = rangeOf(offset);
    if (r.hi < 0 || r.lo + bytes > b.bytes)
      bad(`offset ${printExpr(offset)} + ${bytes} B lies outside ${b.name} (${b.bytes} B)`, span);
    this.aligned(offset, bytes, `${b.name}[${printExpr(offset)}]`, bytes, span);
  }

  /** Refuses only what is misaligned for certain. */
  private aligned(e: Expr, unit: number, what: string, bytes: number, span: Span): void {
    const { modulus, remainder } = congruence(e);
    if (remainder % Math.min(modulus, Math.max(1, unit)) !== 0)
      bad(`${what} is not aligned to its access of ${bytes} B`, span);
  }

  private memory(s: Stmt): void {
    const words: readonly RegType[] = ['f32', 'i32', 'u32'];
    switch (s.s) {
      case 'loadGlobalWords':
        this.count(s.dst.length, [1, 2, 4], 'a load of words', s.span);
        this.registers(s.dst, words, 'a load of words', s.span);
        return this.global(s.buffer, s.index, 4 * s.dst.length, 'read', s.span);
      case 'storeGlobalWords':
        this.count(s.values.length, [1, 2, 4], 'a store of words', s.span);
        for (const v of s.values) this.expr(v, s.span, 'u32');
        return this.global(s.buffer, s.index, 4 * s.values.length, 'write', s.span);
      case 'storeGlobal':
      case 'atomicGlobal': {
        const half = s.buffer.element === 'f16' || s.buffer.element === 'bf16';
        this.expr(s.value, s.span, half ? 'f32' : (s.buffer.element as RegType));
        if (s.s === 'atomicGlobal' && (half || (s.buffer.element === 'f32' && s.fn !== 'add')))
          bad(`no atomic ${s.fn} of ${s.buffer.element}`, s.span);
        const use = s.s === 'atomicGlobal' ? 'both' : 'write';
        return this.global(s.buffer, s.index, elementBytes(s.buffer.element), use, s.span);
      }
      case 'loadShared':
        this.count(s.dst.length, [1, 2, 4], 'a shared load', s.span);
        this.registers(s.dst, words, 'a shared load', s.span);
        return this.shared(s.buffer, s.offset, 4 * s.dst.length, s.span);
      case 'storeShared':
        this.count(s.values.length, [1, 2, 4], 'a shared store', s.span);
        for (const v of s.values)
          if (v.type === 'bool') bad(`${printExpr(v)} is a bool and is stored as a word`, s.span);
        return this.shared(s.buffer, s.offset, 4 * s.values.length, s.span);
      case 'storeSharedHalf':
        if (this.target.family === 'wgsl') bad(`${this.target.name} has no 16-bit shared stores`, s.span);
        this.expr(s.value, s.span, 'f32');
        return this.shared(s.buffer, s.offset, 2, s.span);
      case 'cpAsync':
        this.async(s);
        this.count(s.bytes, [4, 8, 16], 'cp.async (in bytes)', s.span);
        this.shared(s.buffer, s.offset, s.bytes, s.span);
        return this.global(s.from, s.index, s.bytes, 'read', s.span);
      case 'cpAsyncCommit':
        return this.async(s);
      case 'cpAsyncWait':
        this.async(s);
        if (!Number.isInteger(s.pending) || s.pending < 0 || s.pending > 7)
          bad(`cp.async.wait ${s.pending} is outside 0..7`, s.span);
        return;
      case 'tensorCopy':
        return this.tensorCopy(s);
      case 'mbarrierWait':
        this.expr(s.parity, s.span);
        if (s.parity.type !== 'i32' && s.parity.type !== 'u32')
          bad(`the parity ${printExpr(s.parity)} is not an integer`, s.span);
        this.async(s);
        return this.shared(s.buffer, s.offset, 8, s.span);
      case 'mbarrierInit':
        if (!Number.isInteger(s.count) || s.count < 1) bad(`an mbarrier of count ${s.count}`, s.span);
        this.async(s);
        return this.shared(s.buffer, s.offset, 8, s.span);
      case 'proxyFence':
        if (!this.target.features.hopper) bad(`${this.target.name} has no asynchronous proxy`, s.span);
        return;
      case 'mbarrierArriveExpect':
        if (!this.target.features.hopper) bad(`${this.target.name} has no ${s.s}`, s.span);
        this.expr(s.bytes, s.span, 'i32');
        return this.shared(s.buffer, s.offset, 8, s.span);
      case 'mbarrierArrive':
      case 'mbarrierArriveCpAsync':
        this.async(s);
        return this.shared(s.buffer, s.offset, 8, s.span);
      default:
        return;
    }
  }

  private async(s: Stmt): void {
    if (!this.target.features.cpAsync) bad(`${this.target.name} has no ${s.s}`, s.span);
  }
}
