/** Statements without control flow, as lane loops: `m` is the mask of active lanes, `w` the warp, `o` = 32 w. */
import type { Expr, GlobalBuffer, LValue, SharedBuffer, Stmt, Var } from '../../../compiler/thread/nodes.ts';
import { fragment } from './matrix.ts';
import type { SiteInfo } from './site.ts';

/** What writing a statement needs of the kernel's compiler. */
export interface LeafWriter {
  site(info: Omit<SiteInfo, 'span' | 'control'>): string;
  sharedId(b: SharedBuffer): number;
  global(buffer: GlobalBuffer): string;
  /** An expression as a number. */
  value(e: Expr): string;
  expr(e: Expr): string;
  /** The storage of an lvalue; `raw`: as u32 bits. */
  target(to: LValue, raw: boolean): string;
  /** Adds text behind the statement's lane loop. */
  close(text: string): void;
  undefine(v: Var): string;
  /** What is known of a register array that products use, '' where none does. */
  held(v: Var): string;
  /** A warp's elements of an array, lanes innermost. */
  registers(v: Var, first: number, count: number): string;
  /** A constant of the whole kernel. */
  constant(text: string): string;
}

const lanes = (body: string, cond = ''): string => `for(let l=0;l<32;l++)if((m>>>l&1)${cond}){${body}}`;

type Shared = Extract<Stmt, { readonly buffer: SharedBuffer; readonly offset: Expr }>;

function sharedSite(s: Shared, k: LeafWriter, kind: SiteInfo['kind'], width: number): string {
  const space = kind === 'mbarrier' ? 'none' : 'shared';
  const site = k.site({ space, kind, buffer: s.buffer.name, width, shared: k.sharedId(s.buffer) });
  if (space === 'shared') k.close(`S.close(${site});`);
  return site;
}

function globalSite(name: string, k: LeafWriter, kind: SiteInfo['kind'], width: number): string {
  const site = k.site({ space: 'global', kind, buffer: name, width, shared: 0 });
  k.close(`${site}.counter.closeGlobal();`);
  return site;
}

const warpSite = (k: LeafWriter, buffer: string): string =>
  k.site({ space: 'none', kind: 'warp', buffer, width: 4, shared: 0 });

const bytesOf = (b: { readonly element: string }): number =>
  b.element === 'f16' || b.element === 'bf16' ? 2 : 4;

export function leaf(s: Stmt, k: LeafWriter): string {
  const pred = 'pred' in s && s.pred ? `&&${k.expr(s.pred)}` : '';
  switch (s.s) {
    case 'declare':
      return s.init ? assign({ var: s.var }, s.init, k) : k.undefine(s.var);
    case 'assign':
      return assign(s.to, s.value, k);
    case 'warpBarrier':
      return `${whole(warpSite(k, 'warp barrier'))}rt.clocks.warpBarrier(w,m,full[w]);`;
    case 'shuffleXor':
      return shuffle(s, k);
    case 'warpAny':
      return vote(s, k);
    case 'mma':
      return matrix(s, k);
    case 'wgmma':
      return product(s, k);
    case 'wgmmaFence':
      return `W.fence(w,[${s.registers.flatMap((v) => k.held(v) || []).join(',')}]);`;
    case 'wgmmaCommit':
      return 'W.commit(w);';
    case 'wgmmaWait':
      return `W.wait(w,${s.pending});`;
    case 'ldmatrix':
      return rows(s, k);
    case 'loadShared': {
      const site = sharedSite(s, k, 'load', 4 * s.dst.length);
      const words = s.dst.map((to, i) => `${k.target(to, true)}=M[a+${i}];`);
      return lanes(
        `const a=S.load(${site},w,l,${k.expr(s.offset)},${4 * s.dst.length})>>2;${words.join('')}`,
      );
    }
    case 'storeShared': {
      const site = sharedSite(s, k, 'store', 4 * s.values.length);
      const words = s.values.map((v, i) => `M[a+${i}]=${bits(v, k)};`);
      const at = `S.store(${site},w,l,${k.expr(s.offset)},${4 * s.values.length})>>2`;
      return lanes(`const a=${at};${words.join('')}`, pred);
    }
    case 'storeSharedHalf': {
      const site = sharedSite(s, k, 'store', 2);
      const encode = s.element === 'f16' ? 'encodeF16' : 'encodeBf16';
      const at = `S.store(${site},w,l,${k.expr(s.offset)},2)>>1`;
      return lanes(`const a=${at};H[a]=${encode}(${k.value(s.value)});`, pred);
    }
    case 'cpAsync': {
      const to = sharedSite(s, k, 'copy', s.bytes);
      const from = globalSite(s.from.name, k, 'copy', s.bytes);
      const live = s.pred ? k.expr(s.pred) : 'true';
      return lanes(
        `C.issue(${to},${from},w,l,${k.expr(s.offset)},${s.bytes},${k.global(s.from)},${k.expr(s.index)},${live});`,
      );
    }
    case 'cpAsyncCommit':
      return 'C.commit(w,m);';
    case 'cpAsyncWait':
      return `C.wait(w,m,${s.pending});`;
    case 'mbarrierInit':
      return lanes(`B.init(${sharedSite(s, k, 'mbarrier', 8)},w,l,${k.expr(s.offset)},${s.count});`);
    case 'mbarrierArrive':
      return `${lanes(`A[l]=${k.expr(s.offset)};`)}B.arrive(${sharedSite(s, k, 'mbarrier', 8)},w,m,A);`;
    case 'mbarrierArriveExpect': {
      const site = sharedSite(s, k, 'mbarrier', 8);
      return `${lanes(`A[l]=${k.expr(s.offset)};P[l]=${k.value(s.bytes)};`)}B.arrive(${site},w,m,A,P);`;
    }
    case 'tensorCopy':
      return tensorCopy(s, k);
    case 'proxyFence':
      return 'S.fence(w,m);';
    case 'mbarrierArriveCpAsync': {
      const site = sharedSite(s, k, 'mbarrier', 8);
      return lanes(`C.arrive(w,l,B.locate(${site},w,l,${k.expr(s.offset)}));`);
    }
    default:
      return globalLeaf(s, k, pred);
  }
}

function globalLeaf(s: Stmt, k: LeafWriter, pred: string): string {
  switch (s.s) {
    case 'loadGlobalWords': {
      const n = s.dst.length;
      const g = k.global(s.buffer);
      const site = globalSite(s.buffer.name, k, 'load', 4 * n);
      const zero = s.dst.map((to) => `${k.target(to, true)}=0;`).join('');
      const read = s.dst.map((to, i) => `${k.target(to, true)}=${g}.word(x,${i});`).join('');
      const load = `const x=${k.expr(s.index)};if(${g}.loadWords(${site},w,l,x,${n})){${read}}else{${zero}}`;
      return lanes(s.pred ? `if(${k.expr(s.pred)}){${load}}else{${zero}}` : load);
    }
    case 'storeGlobalWords': {
      const n = s.values.length;
      const g = k.global(s.buffer);
      const site = globalSite(s.buffer.name, k, 'store', 4 * n);
      const write = s.values.map((v, i) => `${g}.setWord(x,${i},${bits(v, k)});`).join('');
      return lanes(`const x=${k.expr(s.index)};if(${g}.storeWords(${site},w,l,x,${n})){${write}}`, pred);
    }
    case 'storeGlobal': {
      const site = globalSite(s.buffer.name, k, 'store', bytesOf(s.buffer));
      return lanes(`${k.global(s.buffer)}.store(${site},w,l,${k.expr(s.index)},${k.value(s.value)});`, pred);
    }
    case 'atomicGlobal': {
      const site = globalSite(s.buffer.name, k, 'atomic', bytesOf(s.buffer));
      const call = `${k.global(s.buffer)}.atomic(${site},w,l,${k.expr(s.index)},${k.value(s.value)},'${s.fn}');`;
      return lanes(call, pred);
    }
    default:
      return '';
  }
}

/** A value as the u32 that is stored. */
const bits = (e: Expr, k: LeafWriter): string =>
  e.type === 'f32' ? k.expr({ e: 'bitcast', type: 'u32', a: e }) : k.value(e);

function assign(to: LValue, value: Expr, k: LeafWriter): string {
  // Bits go straight into storage: a JavaScript number might not keep those of a NaN.
  if (value.type === 'f32' && value.e === 'bitcast' && value.a.type !== 'f32')
    return lanes(`${k.target(to, true)}=${k.value(value.a)};`);
  if (value.type === 'f32' && (value.e === 'var' || value.e === 'element'))
    return lanes(`${k.target(to, true)}=${bits(value, k)};`);
  return lanes(`${k.target(to, false)}=${k.value(value)};`);
}

const whole = (site: string): string => `if(m!==full[w])partial(${site},w,m);`;

function shuffle(s: Extract<Stmt, { s: 'shuffleXor' }>, k: LeafWriter): string {
  const site = warpSite(k, 'shuffle');
  const raw = s.dst.var.type !== 'bool';
  const put = lanes(`X[l]=${raw ? bits(s.value, k) : k.value(s.value)};`);
  return `${whole(site)}${put}${lanes(`${k.target(s.dst, raw)}=X[l^${s.mask}];`)}`;
}

function product(s: Extract<Stmt, { s: 'wgmma' }>, k: LeafWriter): string {
  const { columns, transposed, leading, stride, accumulate } = s;
  const site = k.site({
    space: 'shared',
    kind: 'load',
    buffer: s.buffer.name,
    width: 16,
    shared: k.sharedId(s.buffer),
  });
  const shape = k.constant(
    `{...${JSON.stringify({ columns, transposed, leading, stride, accumulate })},halves:${s.element}}`,
  );
  const put = s.a.map((e, i) => `X[${32 * i}+l]=${k.value(e)};`).join('');
  const { var: acc, index } = s.acc[0]!;
  const registers = k.registers(acc, index?.e === 'const' ? Number(index.value) : 0, s.acc.length);
  const left = new Set(s.a.flatMap((e) => (e.e === 'element' ? [k.held(e.var)] : [])));
  const leftSite = (buffer: SharedBuffer): string =>
    k.site({ space: 'shared', kind: 'load', buffer: buffer.name, width: 16, shared: k.sharedId(buffer) });
  const rows = s.left
    ? `{site:${leftSite(s.left.buffer)},offset:A[1],stride:${s.left.stride}}`
    : `leftRows(${s.element},X)`;
  const call = `W.issue(${site},w,${shape},${rows},A[0],${registers},[${[k.held(acc), ...left].join(',')}]);`;
  return `${whole(warpSite(k, 'wgmma'))}${lanes(put)}{const l=0;A[0]=${k.expr(s.offset)};A[1]=${s.left ? k.expr(s.left.offset) : 0};}${call}`;
}

function vote(s: Extract<Stmt, { s: 'warpAny' }>, k: LeafWriter): string {
  const put = lanes(`X[0]|=${k.value(s.value)}?1:0;`);
  return `${whole(warpSite(k, 'vote'))}X[0]=0;${put}${lanes(`${k.target(s.dst, false)}=X[0];`)}`;
}

function matrix(s: Extract<Stmt, { s: 'mma' }>, k: LeafWriter): string {
  const site = warpSite(k, 'mma');
  const put = [
    ...s.a.map((e, i) => `X[${32 * (fragment.a + i)}+l]=${k.value(e)};`),
    ...s.b.map((e, i) => `X[${32 * (fragment.b + i)}+l]=${k.value(e)};`),
    ...s.acc.map((to, i) => `XF[${32 * (fragment.acc + i)}+l]=${k.target(to, false)};`),
  ];
  const get = s.acc.map((to, i) => `${k.target(to, false)}=XF[${32 * (fragment.acc + i)}+l];`);
  const call = s.element === 'f16' ? 'mmaF16(X,XF);' : 'mmaBf16(X,XF);';
  return `${whole(site)}${lanes(put.join(''))}${call}${lanes(get.join(''))}`;
}

function tensorCopy(s: Extract<Stmt, { s: 'tensorCopy' }>, k: LeafWriter): string {
  const { map } = s;
  const eb = bytesOf(map.buffer);
  const bytes = eb * map.box.reduce((a, b) => a * b, 1);
  const to = sharedSite(s, k, 'copy', bytes);
  const from = globalSite(map.buffer.name, k, 'copy', bytes);
  const shared = k.sharedId(s.barrier);
  const bar = k.site({ space: 'none', kind: 'mbarrier', buffer: s.barrier.name, width: 8, shared });
  const list = (es: readonly Expr[]): string => `[${es.map((e) => k.expr(e)).join(',')}]`;
  const box = `{box:[${map.box.join(',')}],extents:${list(map.extents)},strides:${list(map.strides)},at:${list(s.at)}}`;
  const copy = `C.box(${to},${from},${bar},w,l,${k.expr(s.offset)},${k.expr(s.barrierOffset)},${bytes},${k.global(map.buffer)},${box});`;
  return lanes(copy, s.pred ? `&&${k.expr(s.pred)}` : '');
}

function rows(s: Extract<Stmt, { s: 'ldmatrix' }>, k: LeafWriter): string {
  const partial = whole(warpSite(k, 'ldmatrix'));
  const site = sharedSite(s, k, 'ldmatrix', 16);
  const n = s.dst.length;
  const at = `for(let l=0;l<${8 * n};l++)if(m>>>l&1)A[l]=S.load(${site},w,l,${k.expr(s.offset)},16);`;
  // Lane l holds row l/4, columns 2(l%4) and the next; transposed, rows 2(l%4) and the next of column l/4.
  const get = s.dst.map((to, i) =>
    s.trans
      ? `${k.target(to, true)}=H[(A[${8 * i}+2*(l&3)]>>1)+(l>>2)]|H[(A[${8 * i}+2*(l&3)+1]>>1)+(l>>2)]<<16;`
      : `${k.target(to, true)}=M[(A[${8 * i}+(l>>2)]>>2)+(l&3)];`,
  );
  return `${partial}${at}${lanes(get.join(''))}`;
}
