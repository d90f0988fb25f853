/**
 * A kernel as JavaScript: one generator that runs the control flow of a warp under a mask of active lanes, and plain
 * functions that run a few statements each for the lanes of the mask. The generator yields the site it waits at.
 *
 * Registers of all warps lie in one typed array per variable: scalars at 32 w + lane, element k of an array of n at
 * 32 (n w + k) + lane.
 */
import { childrenOf, exprsOf, walkExpr, walkStmts, writesOf } from '../../../compiler/thread/build.ts';
import type { Expr, GlobalBuffer, LValue, Stmt, ThreadKernel, Var } from '../../../compiler/thread/nodes.ts';
import type { Span } from '../../../compiler/ir/span.ts';
import { expression, type Names } from './expressions.ts';
import { helpers } from './helpers.ts';
import type { SiteInfo } from './site.ts';
import { leaf, type LeafWriter } from './statements.ts';

export interface CompiledKernel {
  readonly warps: number;
  readonly sites: readonly SiteInfo[];
  /** The body of a function of `rt` (see runtime.ts). */
  readonly source: string;
  /** Shared memory is accessed in units of 2^shift bytes or more. */
  readonly shift: 1 | 2;
}

interface Slot {
  readonly name: string;
  readonly size: number;
  readonly scalar: boolean;
  /** Loop variables with static bounds: one number per warp. */
  readonly perWarp: boolean;
  /** Whether lanes that hold no value yet are tracked. */
  readonly tracked: boolean;
}

/** Statements per generated function: V8 optimises small functions only. */
const chunk = 8;

const arrays = { f32: 'Float32Array', i32: 'Int32Array', u32: 'Uint32Array', bool: 'Uint8Array' };

const cache = new WeakMap<ThreadKernel, CompiledKernel>();

export function compileKernel(k: ThreadKernel): CompiledKernel {
  const old = cache.get(k);
  if (old) return old;
  const made = new KernelCompiler(k).compile();
  cache.set(k, made);
  return made;
}

export class KernelCompiler implements LeafWriter, Names {
  readonly k: ThreadKernel;
  private readonly warps: number;
  private readonly slots = new Map<Var, Slot>();
  private readonly sites: SiteInfo[] = [];
  private readonly head: string[] = [];
  private readonly functions: string[] = [];
  private masks = 0;
  private constants = 0;
  private readonly holds = new Map<Var, 'acc' | 'left'>();
  /** Conditions and loops around the statement that may part lanes or warps, innermost last. */
  private readonly controls: Span[] = [];
  private span: Span;
  /** Text after the lane loop of the current statement. */
  private closing: string[] = [];

  constructor(k: ThreadKernel) {
    this.k = k;
    this.span = k.span;
    this.warps = Math.ceil(k.threads / 32);
  }

  compile(): CompiledKernel {
    walkStmts(this.k.body, (s) => {
      if (s.s === 'declare') this.makeSlot(s.var, false, s.init === undefined);
      else if (s.s === 'for') this.makeSlot(s.iv, s.unroll, false);
    });
    let shift: 1 | 2 = 2;
    walkStmts(this.k.body, (s) => {
      if (s.s === 'wgmma') this.holdOperands(s);
      if (s.s === 'storeSharedHalf') shift = 1;
    });
    const body = this.block(this.k.body, 'm');
    const tracked = [...this.slots.values()].filter((s) => s.tracked).map((s) => `d${s.name}.fill(0);`);
    const source = [
      `'use strict';`,
      `const {${Object.keys(helpers).join(',')}}=rt.helpers;`,
      'const {S,C,B,W,full,undef,partial,limit}=rt;',
      'const M=S.words,H=S.halves;',
      'const X=new Uint32Array(320),XF=new Float32Array(X.buffer);',
      'const A=new Int32Array(32),P=new Int32Array(32);',
      'const waitAt=new Int32Array(full.length),waitParity=new Int32Array(full.length);',
      ...this.k.buffers.map((_, i) => `const g${i}=rt.globals[${i}];`),
      ...this.k.params.map((p, i) => `const p${i}=rt.params[${JSON.stringify(p.name)}];`),
      ...this.sites.map((_, i) => `const s${i}=rt.sites[${i}];`),
      'let bx=0,by=0,bz=0,steps=0,before=0;',
      ...this.head,
      ...this.functions,
      `function* main(w,m){\n${body}}`,
      `return {main,waitAt,waitParity,steps:()=>steps,total:()=>before+steps,`,
      `block(x,y,z){bx=x;by=y;bz=z;before+=steps;steps=0;${tracked.join('')}}};`,
    ].join('\n');
    return { warps: this.warps, sites: this.sites, source, shift };
  }

  private makeSlot(v: Var, perWarp: boolean, tracked: boolean): void {
    if (this.slots.has(v)) return;
    const name = `v${this.slots.size}`;
    const size = v.size ?? 1;
    const scalar = v.size === undefined;
    this.slots.set(v, { name, size, scalar, perWarp, tracked });
    const length = perWarp ? this.warps : this.warps * size * 32;
    this.head.push(`const ${name}=new ${arrays[v.type]}(${length});`);
    if (v.type !== 'bool') this.head.push(`const u${name}=new Uint32Array(${name}.buffer);`);
    if (tracked) this.head.push(`const d${name}=new Int32Array(${this.warps * size});`);
  }

  /** Register arrays of products that go on by themselves. */
  private holdOperands(s: Extract<Stmt, { s: 'wgmma' }>): void {
    const add = (v: Var, use: 'acc' | 'left'): void => {
      if (!this.holds.has(v))
        this.head.push(`const h${this.slotOf(v).name}=W.hold(${JSON.stringify(v.name)});`);
      if (this.holds.get(v) !== 'acc') this.holds.set(v, use);
    };
    for (const e of s.a) walkExpr(e, (x) => (x.e === 'element' ? add(x.var, 'left') : undefined));
    for (const { var: v } of s.acc) add(v, 'acc');
  }

  held(v: Var): string {
    return this.holds.has(v) ? `h${this.slotOf(v).name}` : '';
  }

  /** What lies in a warp's elements of an array from `first` on, as one typed array. */
  registers(v: Var, first: number, count: number): string {
    const { name, size } = this.slotOf(v);
    return `${name}.subarray((w*${size}+${first})*32,(w*${size}+${first + count})*32)`;
  }

  constant(text: string): string {
    const name = `c${this.constants++}`;
    this.head.push(`const ${name}=${text};`);
    return name;
  }

  /** Notes accesses to such arrays, and reports them while a product is on its way. */
  private checkHeld(s: Stmt): string {
    if (this.holds.size === 0 || s.s === 'wgmma') return '';
    const arrays = new Set<Var>();
    const read = (x: Expr): void => {
      if (x.e === 'element' && this.holds.get(x.var) === 'acc') arrays.add(x.var);
    };
    for (const e of exprsOf(s)) walkExpr(e, read);
    for (const to of writesOf(s)) if (this.holds.has(to.var)) arrays.add(to.var);
    if (arrays.size === 0) return '';
    const site = this.site({ space: 'none', kind: 'register', buffer: '', width: 4, shared: 0 });
    return [...arrays]
      .map(
        (v) => `${this.held(v)}.loose[w]=1;if(${this.held(v)}.flying[w])W.flying(${site},w,${this.held(v)});`,
      )
      .join('');
  }

  // ------------------------------------------------------------ names in generated code

  private slotOf(v: Var): Slot {
    const slot = this.slots.get(v);
    if (slot) return slot;
    // verifyThread refuses such kernels; here they must only not crash.
    this.makeSlot(v, false, true);
    return this.slots.get(v)!;
  }

  slot(v: Var, index: Expr | undefined, raw: boolean): string {
    const s = this.slotOf(v);
    const name = raw ? `u${s.name}` : s.name;
    if (s.perWarp) return `${name}[w]`;
    return s.scalar ? `${name}[o+l]` : `${name}[(w*${s.size}+${this.index(index, s)})*32+l]`;
  }

  private index(e: Expr | undefined, s: Slot): string {
    if (!e) return '0';
    if (e.e === 'const') return String(e.value);
    // Kept inside the array, so that a wrong index cannot reach another warp's registers.
    return `Math.min(${s.size - 1},Math.max(0,${expression(e, this)}))`;
  }

  param(name: string): string {
    return `p${this.k.params.findIndex((p) => p.name === name)}`;
  }

  global(buffer: GlobalBuffer): string {
    return `g${this.k.buffers.findIndex((b) => b === buffer || b.name === buffer.name)}`;
  }

  load(buffer: GlobalBuffer, index: string): string {
    const width = buffer.element === 'f16' || buffer.element === 'bf16' ? 2 : 4;
    const site = this.site({ space: 'global', kind: 'load', buffer: buffer.name, width, shared: 0 });
    this.closing.push(`${site}.counter.closeGlobal();`);
    return `${this.global(buffer)}.load(${site},w,l,${index})`;
  }

  // ------------------------------------------------------------ what statements.ts writes with

  site(info: Omit<SiteInfo, 'span' | 'control'>): string {
    this.sites.push({ ...info, span: this.span, control: this.controls.at(-1) });
    return `s${this.sites.length - 1}`;
  }

  sharedId(name: { readonly id: number }): number {
    return this.k.shared.findIndex((b) => b === name || b.id === name.id) + 1;
  }

  value(e: Expr): string {
    const text = expression(e, this);
    return e.type === 'bool' ? `(${text}?1:0)` : text;
  }

  expr(e: Expr): string {
    return expression(e, this);
  }

  target(to: LValue, raw: boolean): string {
    return this.slot(to.var, to.index, raw);
  }

  close(text: string): void {
    this.closing.push(text);
  }

  /** Clears what is known of a variable that is declared anew. */
  undefine(v: Var): string {
    const s = this.slotOf(v);
    if (!s.tracked) return '';
    return s.scalar
      ? `d${s.name}[w]&=~m;`
      : `for(let k=w*${s.size};k<w*${s.size}+${s.size};k++)d${s.name}[k]&=~m;`;
  }

  // ------------------------------------------------------------ registers that hold nothing yet

  private cell(v: Var, index: Expr | undefined): string | undefined {
    const s = this.slotOf(v);
    if (!s.tracked) return undefined;
    if (s.scalar) return `d${s.name}[w]`;
    // The index must be the same for all lanes: built of constants and unrolled loop variables.
    return index && this.uniform(index) ? `d${s.name}[w*${s.size}+${this.index(index, s)}]` : undefined;
  }

  private uniform(e: Expr): boolean {
    if (e.e === 'var') return this.slotOf(e.var).perWarp;
    return (e.e === 'const' || e.e === 'binary') && childrenOf(e).every((x) => this.uniform(x));
  }

  /** Reports reads of registers that some active lane has not written. Guarded and predicated reads are the author's. */
  private checkReads(s: Stmt): string {
    if ('pred' in s && s.pred) return '';
    const cells = new Map<string, string>();
    const look = (e: Expr): void => {
      if (e.e === 'var' || e.e === 'element') {
        const cell = this.cell(e.var, e.e === 'element' ? e.index : undefined);
        if (cell) cells.set(cell, e.var.name);
      }
      if (e.e === 'guard') look(e.cond);
      else if (e.e === 'select') look(e.cond);
      else for (const x of childrenOf(e)) look(x);
    };
    for (const e of exprsOf(s)) look(e);
    if (s.s === 'mma' || (s.s === 'wgmma' && s.accumulate))
      for (const to of s.acc) {
        const cell = this.cell(to.var, to.index);
        if (cell) cells.set(cell, to.var.name);
      }
    if (cells.size === 0) return '';
    const site = this.site({ space: 'none', kind: 'register', buffer: '', width: 4, shared: 0 });
    return [...cells]
      .map(([cell, name]) => `if((${cell}&m)!==m)undef(${site},w,m&~${cell},${JSON.stringify(name)});`)
      .join('');
  }

  private markWrites(s: Stmt): string {
    if (s.s === 'for') return '';
    return writesOf(s)
      .map((to) => {
        const cell = this.cell(to.var, to.index);
        return cell ? `${cell}|=m;` : '';
      })
      .join('');
  }

  // ------------------------------------------------------------ control flow

  private define(text: string): string {
    const name = `run${this.functions.length}`;
    this.functions.push(`function ${name}(w,m){const o=w<<5;\n${text}}`);
    return name;
  }

  private block(body: readonly Stmt[], m: string): string {
    const out: string[] = [];
    let run: string[] = [];
    const flush = (): void => {
      if (run.length) out.push(`${this.define(`steps+=${run.length};\n${run.join('\n')}\n`)}(w,${m});\n`);
      run = [];
    };
    for (const s of body) {
      this.span = s.span;
      if (s.s === 'comment') continue;
      if (s.s === 'for' || s.s === 'while' || s.s === 'if' || s.s === 'barrier' || s.s === 'mbarrierWait') {
        flush();
        out.push(this.control(s, m));
        continue;
      }
      run.push(this.leaf(s));
      if (run.length === chunk) flush();
    }
    flush();
    return out.join('');
  }

  private leaf(s: Stmt): string {
    this.closing = [];
    const text = leaf(s, this);
    return `${this.checkReads(s)}${this.checkHeld(s)}${text}${this.closing.join('')}${this.markWrites(s)}`;
  }

  /** A function that gives the lanes of m for which cond holds. */
  private test(s: Stmt, cond: string): string {
    const text = `let r=0;for(let l=0;l<32;l++)if((m>>>l&1)&&${cond})r|=1<<l;`;
    const check = this.checkReads(s) + this.checkHeld(s);
    const closing = this.closing.join('');
    return this.define(`steps++;${check}${text}${closing}return r;`);
  }

  private control(s: Stmt, m: string): string {
    this.closing = [];
    switch (s.s) {
      case 'barrier': {
        const some = s.threads === undefined ? {} : { threads: s.threads };
        const site = this.site({ space: 'none', kind: 'barrier', buffer: '', width: 4, shared: 0, ...some });
        return `if(${m}!==full[w])partial(${site},w,${m});yield ${this.sites.length - 1};\n`;
      }
      case 'mbarrierWait': {
        const site = this.site({
          space: 'none',
          kind: 'mbarrier',
          buffer: s.buffer.name,
          width: 8,
          shared: this.sharedId(s.buffer),
        });
        const id = this.sites.length - 1;
        const text =
          `for(let l=0;l<32;l++)if(m>>>l&1){A[l]=${this.expr(s.offset)};P[l]=${this.expr(s.parity)};}` +
          `if(B.tryWait(${site},w,m,A,P))return true;` +
          'const first=31-Math.clz32(m&-m);waitAt[w]=A[first];waitParity[w]=P[first];return false;';
        return `while(!${this.define(text)}(w,${m}))yield ${id};\n`;
      }
      case 'if':
        return this.branch(s, m);
      case 'while':
        return this.spin(s, m);
      case 'for':
        return s.unroll && this.uniform(s.lo) && this.uniform(s.hi) ? this.unrolled(s, m) : this.loop(s, m);
      default:
        return '';
    }
  }

  private inside(span: Span, body: readonly Stmt[], m: string, parts: boolean): string {
    if (parts) this.controls.push(span);
    const text = this.block(body, m);
    if (parts) this.controls.pop();
    return text;
  }

  private branch(s: Extract<Stmt, { s: 'if' }>, m: string): string {
    const n = this.masks++;
    const test = this.test(s, this.expr(s.cond));
    const then = this.inside(s.span, s.then, `t${n}`, true);
    const other = this.inside(s.span, s.else, `e${n}`, true);
    const rest = other ? `const e${n}=${m}&~t${n};if(e${n}!==0){\n${other}}\n` : '';
    return `{const t${n}=${test}(w,${m});if(t${n}!==0){\n${then}}\n${rest}}\n`;
  }

  private loopSite(span: Span): number {
    this.span = span;
    this.site({ space: 'none', kind: 'loop', buffer: '', width: 4, shared: 0 });
    return this.sites.length - 1;
  }

  private spin(s: Extract<Stmt, { s: 'while' }>, m: string): string {
    const n = this.masks++;
    const site = this.loopSite(s.span);
    const test = this.test(s, this.expr(s.cond));
    const body = this.inside(s.span, s.body, `m${n}`, true);
    // Others must get a turn, in case the loop waits for them.
    return `{let m${n}=${m},n${n}=0;while((m${n}=${test}(w,m${n}))!==0){\n${body}if((++n${n}&63)===0||steps>limit)yield ${site};}}\n`;
  }

  private unrolled(s: Extract<Stmt, { s: 'for' }>, m: string): string {
    const n = this.masks++;
    const iv = this.slotOf(s.iv).name;
    const bounds = [s.lo, s.hi].map((e) => expression(e, this));
    const body = this.inside(s.span, s.body, m, false);
    return `for(let i${n}=${bounds[0]};i${n}<${bounds[1]};i${n}+=${s.step}){${iv}[w]=i${n};\n${body}}\n`;
  }

  private loop(s: Extract<Stmt, { s: 'for' }>, m: string): string {
    const n = this.masks++;
    const site = this.loopSite(s.span);
    const slot = this.slotOf(s.iv);
    const iv = slot.perWarp ? `${slot.name}[w]` : `${slot.name}[o+l]`;
    this.closing = [];
    const lo = this.expr(s.lo);
    const init = this.define(
      `${this.checkReads(s)}for(let l=0;l<32;l++)if(m>>>l&1)${iv}=${lo};${this.closing.join('')}`,
    );
    this.closing = [];
    const test = this.test(s, `${iv}<${this.expr(s.hi)}`);
    const next = this.define(
      slot.perWarp ? `${iv}+=${s.step};` : `for(let l=0;l<32;l++)if(m>>>l&1)${iv}+=${s.step};`,
    );
    const body = this.inside(s.span, s.body, `m${n}`, true);
    return (
      `${init}(w,${m});{let m${n}=${m};while((m${n}=${test}(w,m${n}))!==0){\n${body}${next}(w,m${n});` +
      `if(steps>limit)yield ${site};}}\n`
    );
  }
}
