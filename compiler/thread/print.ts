/** Thread IR as text, in the manner of C: what `--emit thread` shows. One line per statement; spans as comments on demand. */
import type { Expr, LValue, SharedBuffer, Stmt, ThreadKernel, Var } from './nodes.ts';
import type { Span } from '../ir/span.ts';

export interface PrintOptions {
  /** Ends each line with the author's place, where it differs from the line before. */
  readonly spans?: boolean;
}

const infix: Readonly<Record<string, readonly [string, number]>> = {
  mul: ['*', 10],
  div: ['/', 10],
  rem: ['%', 10],
  add: ['+', 9],
  sub: ['-', 9],
  shl: ['<<', 8],
  shr: ['>>', 8],
  lt: ['<', 7],
  le: ['<=', 7],
  gt: ['>', 7],
  ge: ['>=', 7],
  eq: ['==', 6],
  ne: ['!=', 6],
  and: ['&', 5],
  xor: ['^', 4],
  or: ['|', 3],
};

/** Unique within the kernel: variables of one name are told apart by their id. */
class Names {
  private readonly taken = new Map<string, number>();

  of(v: Var): string {
    const first = this.taken.get(v.name);
    if (first === undefined) this.taken.set(v.name, v.id);
    return first === undefined || first === v.id ? v.name : `${v.name}_${v.id}`;
  }
}

function number(e: Extract<Expr, { e: 'const' }>): string {
  if (typeof e.value === 'boolean') return String(e.value);
  if (e.type === 'u32') return `${e.value}u`;
  if (e.type !== 'f32') return String(e.value);
  if (!Number.isFinite(e.value)) return Number.isNaN(e.value) ? 'nan' : e.value > 0 ? 'inf' : '-inf';
  const text = Object.is(e.value, -0) ? '-0' : String(e.value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

class Printer {
  private readonly names = new Names();
  private readonly lines: string[] = [];
  private depth = 0;
  private last = '';
  private readonly options: PrintOptions;

  constructor(options: PrintOptions) {
    this.options = options;
  }

  private line(text: string, span?: Span): void {
    const place = span && this.options.spans ? `${span.file}:${span.line}` : '';
    const note = place !== '' && place !== this.last ? `  // ${place}` : '';
    if (place !== '') this.last = place;
    this.lines.push('  '.repeat(this.depth) + text + note);
  }

  kernel(k: ThreadKernel): string {
    const numbers = Object.entries({ ...k.spec, ...k.tile }).map(([name, value]) => `${name}=${value}`);
    this.line(
      `kernel ${k.name} target ${k.target} threads ${k.threads}${k.minBlocks ? ` minBlocks ${k.minBlocks}` : ''}` +
        `${numbers.length ? ` [${numbers.join(', ')}]` : ''} {`,
    );
    this.depth++;
    for (const p of k.params) this.line(`param ${p.type} ${p.name}`);
    for (const b of k.buffers) this.line(`global ${b.access} ${b.element} ${b.name}[${this.expr(b.length)}]`);
    for (const b of k.shared)
      this.line(`shared ${b.element} ${shared(b)} ${b.bytes} B at ${b.offset}  // ${b.note}`, b.span);
    if (k.shared.length) this.line(`// ${k.sharedBytes} B of shared memory`);
    this.block(k.body);
    this.depth--;
    this.line('}');
    return `${this.lines.join('\n')}\n`;
  }

  private block(body: readonly Stmt[]): void {
    for (const s of body) this.stmt(s);
  }

  private nested(head: string, body: readonly Stmt[], span: Span): void {
    this.line(`${head} {`, span);
    this.depth++;
    this.block(body);
    this.depth--;
  }

  private target(to: LValue): string {
    const name = this.names.of(to.var);
    return to.index ? `${name}[${this.expr(to.index)}]` : name;
  }

  private targets(dst: readonly LValue[]): string {
    return dst.map((d) => this.target(d)).join(', ');
  }

  private list(values: readonly Expr[]): string {
    return values.map((v) => this.expr(v)).join(', ');
  }

  private pred(s: { readonly pred?: Expr }): string {
    return s.pred ? ` where ${this.expr(s.pred)}` : '';
  }

  stmt(s: Stmt): void {
    if (s.s === 'for') {
      const iv = this.names.of(s.iv);
      const step = s.step === 1 ? '' : ` step ${s.step}`;
      this.nested(
        `${s.unroll ? 'unroll ' : ''}for ${iv} in ${this.expr(s.lo)} .. ${this.expr(s.hi)}${step}`,
        s.body,
        s.span,
      );
      this.line('}');
    } else if (s.s === 'while') {
      this.nested(`while (${this.expr(s.cond)})`, s.body, s.span);
      this.line('}');
    } else if (s.s === 'if') {
      const uniform = `${s.uniform === 'none' ? '' : ` ${s.uniform}-uniform`}${s.rare ? ' rare' : ''}`;
      this.nested(`if${uniform} (${this.expr(s.cond)})`, s.then, s.span);
      if (s.else.length) this.nested('} else', s.else, s.span);
      this.line('}');
    } else this.line(this.simple(s), s.span);
  }

  private simple(s: Exclude<Stmt, { s: 'for' | 'while' | 'if' }>): string {
    switch (s.s) {
      case 'comment':
        return `// ${s.text}`;
      case 'declare': {
        const size = s.var.size === undefined ? '' : `[${s.var.size}]`;
        return `${s.var.type} ${this.names.of(s.var)}${size}${s.init ? ` = ${this.expr(s.init)}` : ''}`;
      }
      case 'assign':
        return `${this.target(s.to)} = ${this.expr(s.value)}`;
      case 'barrier':
        return s.threads === undefined ? 'barrier' : `barrier of ${s.threads} threads`;
      case 'warpBarrier':
        return 'warpBarrier';
      case 'loadGlobalWords':
        return `${this.targets(s.dst)} = global.words ${s.buffer.name}[${this.expr(s.index)}]${this.pred(s)}`;
      case 'storeGlobalWords':
        return `global.words ${s.buffer.name}[${this.expr(s.index)}] = ${this.list(s.values)}${this.pred(s)}`;
      case 'storeGlobal':
        return `${s.buffer.name}[${this.expr(s.index)}] = ${this.expr(s.value)}${this.pred(s)}`;
      case 'atomicGlobal':
        return `atomic.${s.fn} ${s.buffer.name}[${this.expr(s.index)}], ${this.expr(s.value)}${this.pred(s)}`;
      case 'loadShared':
        return `${this.targets(s.dst)} = shared.words ${this.at(s)}`;
      case 'storeShared':
        return `shared.words ${this.at(s)} = ${this.list(s.values)}${this.pred(s)}`;
      case 'storeSharedHalf':
        return `shared.${s.element} ${this.at(s)} = ${this.expr(s.value)}${this.pred(s)}`;
      case 'cpAsync':
        return `cp.async.${s.bytes} ${this.at(s)} <- ${s.from.name}[${this.expr(s.index)}]${this.pred(s)}`;
      case 'cpAsyncCommit':
        return 'cp.async.commit';
      case 'cpAsyncWait':
        return `cp.async.wait ${s.pending}`;
      case 'ldmatrix':
        return `${this.targets(s.dst)} = ldmatrix.x${s.dst.length}${s.trans ? '.trans' : ''} ${this.at(s)}`;
      case 'mma':
        return `${this.targets(s.acc)} += mma.${s.element} (${this.list(s.a)}) (${this.list(s.b)})`;
      case 'wgmma': {
        const sign = s.accumulate ? '+=' : '=';
        const how = `${s.transposed ? 'k x n' : 'n x k'} leading ${s.leading} stride ${s.stride}`;
        return `${this.target(s.acc[0]!)}.. ${sign} wgmma.m64n${s.columns}k16.${s.element} (${s.left ? `${this.at(s.left)} stride ${s.left.stride}` : this.list(s.a)}) ${this.at(s)} ${how}`;
      }
      case 'wgmmaFence':
        return `wgmma.fence ${this.arrays(s.registers)}`;
      case 'wgmmaCommit':
        return 'wgmma.commit';
      case 'wgmmaWait':
        return `wgmma.wait ${s.pending}: ${this.arrays(s.registers)}`;
      case 'setMaxRegisters':
        return `setmaxnreg.${s.raise ? 'inc' : 'dec'} ${s.count}`;
      case 'shuffleXor':
        return `${this.target(s.dst)} = shuffle.xor ${this.expr(s.value)}, ${s.mask}`;
      case 'warpAny':
        return `${this.target(s.dst)} = warp.any ${this.expr(s.value)}`;
      case 'mbarrierInit':
        return `mbarrier.init ${this.at(s)}, ${s.count}`;
      case 'mbarrierArrive':
        return `mbarrier.arrive ${this.at(s)}`;
      case 'mbarrierArriveCpAsync':
        return `mbarrier.arrive.cpAsync ${this.at(s)}`;
      case 'mbarrierArriveExpect':
        return `mbarrier.arrive.expect ${this.at(s)}, ${this.expr(s.bytes)} B`;
      case 'tensorCopy': {
        const barrier = this.at({ buffer: s.barrier, offset: s.barrierOffset });
        const box = s.map.box.join('x');
        const first = s.evictFirst ? ` evict.first ${this.expr(s.evictFirst)}` : '';
        return `tensor.copy.${box} ${this.at(s)} <- ${s.map.buffer.name}{${this.list(s.at)}}${this.pred(s)}${first}, ${barrier}`;
      }
      case 'proxyFence':
        return 'fence.proxy.async';
      case 'mbarrierWait':
        return `mbarrier.wait ${this.at(s)}, parity ${this.expr(s.parity)}`;
    }
  }

  private arrays(vars: readonly Var[]): string {
    return vars.map((v) => this.names.of(v)).join(', ');
  }

  private at(s: { readonly buffer: SharedBuffer; readonly offset: Expr }): string {
    return `${shared(s.buffer)}[${this.expr(s.offset)}]`;
  }

  expr(e: Expr, above = 0): string {
    switch (e.e) {
      case 'const':
        return number(e);
      case 'var':
        return this.names.of(e.var);
      case 'element':
        return `${this.names.of(e.var)}[${this.expr(e.index)}]`;
      case 'param':
        return e.name;
      case 'threadId':
        return 'thread';
      case 'blockId':
        return `block.${'xyz'[e.axis]}`;
      case 'unary':
        return `${e.fn}(${this.expr(e.a)})`;
      case 'binary':
      case 'compare': {
        const [sign, level] = infix[e.fn] ?? ['', 0];
        if (sign === '') return `${e.fn}(${this.expr(e.a)}, ${this.expr(e.b)})`;
        const c = e.b.e === 'const' && e.fn === 'add' && typeof e.b.value === 'number' ? e.b.value : 0;
        const text =
          c < 0 && e.b.type === 'i32'
            ? `${this.expr(e.a, level)} - ${-c}`
            : `${this.expr(e.a, level)} ${sign} ${this.expr(e.b, level + 1)}`;
        return level < above ? `(${text})` : text;
      }
      case 'select': {
        const text = `${this.expr(e.cond, 3)} ? ${this.expr(e.a, 3)} : ${this.expr(e.b, 2)}`;
        return above > 2 ? `(${text})` : text;
      }
      case 'fma':
        return `fma(${this.list([e.a, e.b, e.c])})`;
      case 'convert':
        return `${e.type}(${this.expr(e.a)})`;
      case 'bitcast':
        return `bits.${e.type}(${this.expr(e.a)})`;
      case 'round':
        return `round.${e.to}(${this.expr(e.a)})`;
      case 'pack':
        return `pack.${e.to}(${this.list([e.lo, e.hi])})`;
      case 'unpack':
        return `unpack.${e.from}.${e.half === 0 ? 'lo' : 'hi'}(${this.expr(e.a)})`;
      case 'loadGlobal':
        return `${e.buffer.name}[${this.expr(e.index)}]`;
      case 'guard':
        return `guard(${this.list([e.cond, e.value, e.other])})`;
    }
  }
}

const shared = (b: SharedBuffer): string => `%${b.name}`;

export const printThread = (k: ThreadKernel, options: PrintOptions = {}): string =>
  new Printer(options).kernel(k);

/** One expression or statement alone, for messages. */
export const printExpr = (e: Expr): string => new Printer({}).expr(e);
