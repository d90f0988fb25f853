/** Statements that move data: vector loads and stores, asynchronous copies, ldmatrix, mbarriers. */
import type {
  Expr,
  GlobalBuffer,
  LValue,
  RegType,
  SharedBuffer,
  Stmt,
  TensorMap,
} from '../../../compiler/thread/nodes.ts';
import type { Expressions } from './expression.ts';
import type { Helper } from './helpers.ts';
import type { Names } from './names.ts';
import type { Writer } from './writer.ts';

export interface MemoryContext {
  readonly writer: Writer;
  readonly names: Names;
  readonly expressions: Expressions;
  readonly use: (helper: Helper) => void;
  readonly lvalue: (l: LValue) => string;
  /** C pointer and 32-bit shared-window address of a shared buffer. */
  readonly sharedPointer: (b: SharedBuffer) => string;
  readonly sharedAddress: (b: SharedBuffer) => string;
  /** The kernel argument that is a tensor map. */
  readonly mapName: (m: TensorMap) => string;
}

const fields = ['x', 'y', 'z', 'w'] as const;
const base: Record<RegType, string> = { f32: 'float', i32: 'int', u32: 'unsigned', bool: 'unsigned' };

/** The C type of `count` consecutive words: the registers' own type where they agree, else unsigned. */
function vector(types: readonly RegType[]): { type: string; make: string; element: RegType } {
  const first = types[0]!;
  const element = types.every((t) => t === first) && first !== 'bool' ? first : 'u32';
  if (types.length === 1) return { type: base[element], make: '', element };
  const name = `${element === 'u32' ? 'uint' : base[element]}${types.length}`;
  return { type: name, make: `make_${name}`, element };
}

/** A word of type `from` stored into a register of type `to`, bits unchanged. */
function recast(text: string, from: RegType, to: RegType): string {
  if (from === to) return text;
  if (to === 'f32') return from === 'i32' ? `__int_as_float(${text})` : `__uint_as_float(${text})`;
  if (from === 'f32') return to === 'i32' ? `__float_as_int(${text})` : `__float_as_uint(${text})`;
  return `(${base[to]})(${text})`;
}

function scatter(c: MemoryContext, dst: readonly LValue[], location: string, pred: string | undefined): void {
  const v = vector(dst.map((d) => d.var.type));
  const read = `*(const ${v.type} *)(${location})`;
  const zero = v.make ? `${v.make}(${dst.map(() => '0').join(', ')})` : '0';
  const value = pred === undefined ? read : `${pred} ? ${read} : ${zero}`;
  if (dst.length === 1) {
    const word = recast(value, v.element, dst[0]!.var.type);
    c.writer.line(`${c.lvalue(dst[0]!)} = ${word};`);
    return;
  }
  block(c, () => {
    const words = c.names.fresh('words');
    c.writer.line(`const ${v.type} ${words} = ${value};`);
    dst.forEach((d, i) =>
      c.writer.line(`${c.lvalue(d)} = ${recast(`${words}.${fields[i]}`, v.element, d.var.type)};`),
    );
  });
}

function gather(c: MemoryContext, values: readonly Expr[], location: string, pred: string | undefined): void {
  const v = vector(values.map((x) => x.type));
  const words = values.map((x) => recast(c.expressions.text(x), x.type, v.element));
  const value = v.make ? `${v.make}(${words.join(', ')})` : words[0]!;
  c.writer.line(`${condition(pred)}*(${v.type} *)(${location}) = ${value};`);
}

const condition = (pred: string | undefined): string => (pred === undefined ? '' : `if (${pred}) `);

const block = (c: MemoryContext, body: () => void): void => c.names.scoped(() => c.writer.block('{', body));

/** Where a predicate is needed twice, it gets a name. */
function named(c: MemoryContext, pred: Expr | undefined, body: (pred: string | undefined) => void): void {
  if (!pred || pred.e === 'var') {
    body(pred && c.expressions.text(pred));
    return;
  }
  block(c, () => {
    const live = c.names.fresh('live');
    c.writer.line(`const bool ${live} = ${c.expressions.text(pred)};`);
    body(live);
  });
}

function converted(c: MemoryContext, element: GlobalBuffer['element'], value: Expr): string {
  const x = c.expressions;
  if (element === 'f16' || element === 'bf16') {
    c.use(element);
    return `to_${element}(${value.type === 'f32' ? x.text(value) : `(float)${x.operand(value)}`})`;
  }
  return value.type === element ? x.text(value) : `(${base[element]})${x.operand(value)}`;
}

type Memory = Extract<
  Stmt,
  {
    s:
      | 'loadGlobalWords'
      | 'storeGlobalWords'
      | 'storeGlobal'
      | 'atomicGlobal'
      | 'loadShared'
      | 'storeShared'
      | 'storeSharedHalf'
      | 'cpAsync'
      | 'ldmatrix'
      | 'mbarrierInit'
      | 'mbarrierArrive'
      | 'mbarrierArriveCpAsync'
      | 'mbarrierArriveExpect'
      | 'tensorCopy'
      | 'mbarrierWait';
  }
>;

export function emitMemory(c: MemoryContext, s: Memory): void {
  const { writer, expressions: x } = c;
  const text = (e: Expr | undefined): string | undefined => e && x.text(e);
  const pointer = (b: SharedBuffer, offset: Expr): string => sum(c.sharedPointer(b), x, offset);
  const address = (b: SharedBuffer, offset: Expr): string => sum(c.sharedAddress(b), x, offset);
  switch (s.s) {
    case 'loadGlobalWords':
      // The condition comes first in `?:`, so a false predicate forms no address.
      scatter(c, s.dst, x.steppedAddress(s.buffer, s.index), s.pred && wrapTernary(x, s.pred));
      return;
    case 'storeGlobalWords':
      gather(c, s.values, x.steppedAddress(s.buffer, s.index), text(s.pred));
      return;
    case 'storeGlobal': {
      const place = `${x.bufferName(s.buffer)}[${x.index(s.buffer, s.index)}]`;
      writer.line(`${condition(text(s.pred))}${place} = ${converted(c, s.buffer.element, s.value)};`);
      return;
    }
    case 'atomicGlobal': {
      const name = { add: 'atomicAdd', max: 'atomicMax', min: 'atomicMin' }[s.fn];
      writer.line(
        `${condition(text(s.pred))}${name}(${x.address(s.buffer, s.index)}, ${converted(c, s.buffer.element, s.value)});`,
      );
      return;
    }
    case 'loadShared':
      scatter(c, s.dst, pointer(s.buffer, s.offset), undefined);
      return;
    case 'storeShared':
      gather(c, s.values, pointer(s.buffer, s.offset), text(s.pred));
      return;
    case 'storeSharedHalf':
      writer.line(
        `${condition(text(s.pred))}*(${s.element} *)(${pointer(s.buffer, s.offset)}) = ${converted(c, s.element, s.value)};`,
      );
      return;
    case 'cpAsync':
      c.use(`cp_async_${s.bytes}`);
      named(c, s.pred, (pred) => {
        const to = address(s.buffer, s.offset);
        // Of no bytes no address is read: a condition in it would only keep addresses from sharing a base.
        const from = x.address(s.from, s.index);
        writer.line(
          pred === undefined
            ? `cp_async_${s.bytes}(${to}, ${from});`
            : `cp_async_${s.bytes}_zfill(${to}, ${from}, ${pred});`,
        );
      });
      return;
    case 'ldmatrix': {
      const name = `ldmatrix_x${s.dst.length}${s.trans ? '_trans' : ''}` as Helper;
      c.use(name);
      writer.line(`${name}(${s.dst.map(c.lvalue).join(', ')}, ${address(s.buffer, s.offset)});`);
      return;
    }
    case 'mbarrierInit':
      c.use('mbarrier_init');
      writer.line(`mbarrier_init(${address(s.buffer, s.offset)}, ${s.count}u);`);
      return;
    case 'mbarrierArrive':
      c.use('mbarrier_arrive');
      writer.line(`mbarrier_arrive(${address(s.buffer, s.offset)});`);
      return;
    case 'mbarrierArriveCpAsync':
      c.use('mbarrier_arrive_cp_async');
      writer.line(`mbarrier_arrive_cp_async(${address(s.buffer, s.offset)});`);
      return;
    case 'mbarrierArriveExpect':
      c.use('mbarrier_arrive_expect');
      writer.line(`mbarrier_arrive_expect(${address(s.buffer, s.offset)}, ${x.text(s.bytes)});`);
      return;
    case 'tensorCopy': {
      c.use('tensor_map');
      const to = address(s.buffer, s.offset);
      const operands = [to, `&${c.mapName(s.map)}`, ...s.at.map((e) => x.text(e))];
      operands.push(address(s.barrier, s.barrierOffset));
      const copy = (kind: '' | '_evict_first'): string => {
        const name = `tensor_copy_${s.at.length}d${kind}`;
        c.use(name as Helper);
        return `${name}(${operands.join(', ')});`;
      };
      const { evictFirst } = s;
      if (!evictFirst) return writer.line(`${condition(text(s.pred))}${copy('')}`);
      writer.block(s.pred ? `if (${x.text(s.pred)}) {` : '{', () => {
        writer.line(`if (${x.text(evictFirst)}) ${copy('_evict_first')}`);
        writer.line(`else ${copy('')}`);
      });
      return;
    }
    case 'mbarrierWait':
      c.use('mbarrier_wait');
      writer.line(`mbarrier_wait(${address(s.buffer, s.offset)}, ${x.text(s.parity)});`);
      return;
  }
}

function sum(start: string, x: Expressions, offset: Expr): string {
  if (offset.e === 'const' && Number(offset.value) === 0) return start;
  return `${start} + ${x.addend(offset)}`;
}

/** A predicate as the condition of a ternary. */
function wrapTernary(x: Expressions, pred: Expr): string {
  const simple = pred.e === 'select' || pred.e === 'guard' || pred.e === 'convert';
  return simple ? `(${x.text(pred)})` : x.text(pred);
}
