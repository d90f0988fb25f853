import { describe, expect, it } from 'vitest';
import { PatcError } from '../../../compiler/diagnostics/error.ts';
import * as b from '../../../compiler/thread/build.ts';
import type { Expr, Stmt } from '../../../compiler/thread/nodes.ts';
import { printThread } from '../../../compiler/thread/print.ts';
import { verifyThread } from '../../../compiler/thread/verify.ts';
import {
  globalBuffer,
  sharedBuffer,
  st,
  threadKernel,
  type KernelParts,
} from '../../backends/cpu/simulator/kit.ts';

const t = b.threadId();
const regs = new b.Registers();
const f = regs.scalar('f', 'f32');
const u = regs.scalar('u', 'u32');
const i = regs.scalar('i', 'i32');
const j = regs.scalar('j', 'i32');
const flag = regs.scalar('flag', 'bool');
const array = regs.array('array', 'f32', 4);
const frag = regs.array('frag', 'u32', 4);
const x = globalBuffer('x', 'f16', 1024);
const y = globalBuffer('y', 'f32', 1024, 'write');
const S = sharedBuffer('s', 1024);
const declared = [
  st.declare(2, f, b.constF(0)),
  st.declare(2, u, b.constU(0)),
  st.declare(2, array),
  st.declare(2, flag),
  st.declare(2, frag),
];
const four = [0, 1, 2, 3];

const kernelOf = (body: Stmt[], more: Partial<KernelParts> = {}) =>
  threadKernel({ threads: 128, buffers: [x, y], shared: [S], body: [...declared, ...body], ...more });

/** The message and line of the rule that a body breaks, or undefined. */
function broken(body: Stmt[], more: Partial<KernelParts> = {}): string | undefined {
  try {
    verifyThread(kernelOf(body, more));
    return undefined;
  } catch (error) {
    if (!(error instanceof PatcError)) throw error;
    expect(error.code).toBe('PAT0305');
    return `${error.diagnostics[0]!.span?.line}: ${error.diagnostics[0]!.message}`;
  }
}

describe('verifyThread', () => {
  it('accepts a kernel that uses everything', () => {
    const body = [
      st.copy(3, S, b.mul(b.rem(t, 64), 16), x, b.mul(t, 8), 16, b.lt(t, 64)),
      st.commit(3),
      st.wait(4, 0),
      st.barrier(4),
      st.ldmatrix(
        5,
        four.map((k) => b.lvalue(frag, k)),
        S,
        b.mul(b.rem(t, 32), 16),
      ),
      st.any(5, b.lvalue(flag), b.lt(t, 3)),
      st.if(5, b.varRef(flag), [st.shuffle(5, b.lvalue(f), b.varRef(f), 1)], [], 'warp'),
      st.loop(6, i, b.constI(0), b.constI(4), [st.set(6, b.lvalue(array, b.varRef(i)), b.constF(0))], true),
      st.mma(
        7,
        'f16',
        four.map((k) => b.lvalue(array, k)),
        four.map((k) => b.element(frag, k)),
        [b.element(frag, 0), b.element(frag, 1)],
      ),
      st.if(8, b.lt(t, 64), [st.shuffle(9, b.lvalue(f), b.varRef(f), 1)], [], 'warp'),
      st.out(10, y, t, b.varRef(f)),
    ];
    expect(broken(body)).toBeUndefined();
  });

  const rules: [string, Stmt[], string][] = [
    ['undeclared register', [st.set(5, i, b.constI(0))], '5: i: register i is not declared here'],
    ['declared twice', [st.declare(5, f)], '5: register f is declared twice'],
    ['type of a value', [st.set(5, f, b.constI(1))], '5: 1 has type i32, f32 is needed'],
    [
      'types of operands',
      [st.set(5, f, { e: 'binary', type: 'f32', fn: 'add', a: b.varRef(f), b: b.varRef(u) })],
      '5: f + u: operands have types f32 and u32',
    ],
    [
      'array without an index',
      [st.set(5, f, b.varRef(array))],
      '5: array: array is an array and needs an index',
    ],
    ['dynamic index of a register array', [st.set(5, f, b.element(array, b.rem(t, 4)))], 'is not static'],
    [
      'index past a register array',
      [st.set(5, f, b.element(array, 4))],
      '5: array[4]: index 4 is outside an array of 4',
    ],
    [
      'index of an unrolled loop past a register array',
      [
        st.loop(
          4,
          i,
          b.constI(0),
          b.constI(3),
          [st.set(5, b.lvalue(array, b.mul(b.varRef(i), 2)), b.constF(0))],
          true,
        ),
      ],
      'index 4 is outside an array of 4',
    ],
    [
      'index that only some trips of two loops take past a register array',
      [
        st.loop(
          4,
          i,
          b.constI(0),
          b.constI(2),
          [
            st.loop(
              4,
              j,
              b.constI(1),
              b.constI(3),
              [st.set(5, b.lvalue(array, b.add(b.mul(b.varRef(i), 2), b.varRef(j))), b.constF(0))],
              true,
            ),
          ],
          true,
        ),
      ],
      'index 4 is outside an array of 4',
    ],
    [
      'loop variable assigned',
      [st.loop(4, i, b.constI(0), b.constI(3), [st.set(5, i, b.constI(0))])],
      '5: loop variable i',
    ],
    [
      'barrier under a condition',
      [st.if(4, b.lt(t, 7), [st.barrier(5)])],
      '5: a barrier stands in control flow',
    ],
    [
      'false claim',
      [st.if(4, b.lt(t, 7), [st.barrier(5)], [], 'block')],
      '4: the condition thread < 7 is claimed',
    ],
    [
      'barrier in a loop of different lengths',
      [st.loop(4, i, b.constI(0), t, [st.barrier(5)])],
      '5: a barrier stands in control flow',
    ],
    [
      'shuffle under a condition',
      [st.if(4, b.lt(t, 7), [st.shuffle(5, b.lvalue(f), b.varRef(f), 1)])],
      '5: shuffleXor',
    ],
    ['vote under a condition', [st.if(4, b.lt(t, 7), [st.any(5, b.lvalue(flag), b.lt(t, 3))])], '5: warpAny'],
    ['vote on a number', [st.any(5, b.lvalue(flag), b.varRef(f))], '5: '],
    ['shuffle mask', [st.shuffle(5, b.lvalue(f), b.varRef(f), 32)], '5: shuffle mask 32'],
    ['store to an input', [st.out(5, x, t, b.varRef(f))], '5: x is read-only'],
    ['load from an output', [st.set(5, f, b.loadGlobal(y, t))], 'y cannot be read here'],
    ['store of another type', [st.out(5, y, t, b.varRef(u))], '5: u has type u32, f32 is needed'],
    [
      'shared offset outside',
      [st.load(5, [b.lvalue(f)], S, b.constI(1024))],
      '5: offset 1024 + 4 B lies outside s',
    ],
    [
      'misaligned shared offset',
      [st.load(5, [b.lvalue(f), b.lvalue(u)], S, b.add(b.mul(t, 8), 4))],
      '5: s[thread * 8 + 4] is not aligned',
    ],
    [
      'misaligned global index',
      [st.inWords(5, [b.lvalue(u)], x, b.add(b.mul(t, 2), 1))],
      '5: x[thread * 2 + 1] is not aligned',
    ],
    ['cp.async size', [st.copy(5, S, b.mul(t, 8), x, b.mul(t, 6), 12 as 16)], '5: cp.async (in bytes) takes'],
    ['mma operands', [st.mma(5, 'f16', [b.lvalue(f)], [], [])], '5: mma acc takes 4 operands, not 1'],
    [
      'three words',
      [st.inWords(5, [b.lvalue(u), b.lvalue(u), b.lvalue(u)], x, b.mul(t, 8))],
      '5: a load of words takes',
    ],
    ['unknown argument', [st.set(5, i, b.param('n', 'i32'))], '5: '],
    ['negative pending groups', [st.wait(5, -1)], '5: cp.async.wait -1'],
    ['mbarrier of nobody', [st.init(5, S, b.constI(0), 0)], '5: an mbarrier of count 0'],
  ];
  for (const [name, body, message] of rules)
    it(`refuses: ${name}`, () => expect(broken(body)).toContain(message));

  it('knows what a target has', () => {
    const more = { target: 'wgsl' };
    expect(broken([st.commit(5)], more)).toContain('wgsl has no cpAsyncCommit');
    expect(broken([st.warpBarrier(5)], more)).toContain('needs warps');
    expect(broken([st.storeHalf(5, S, b.mul(t, 2), 'f16', b.varRef(f))], more)).toContain(
      '16-bit shared stores',
    );
    expect(broken([], { threads: 512, target: 'wgsl' })).toContain('512 threads');
    expect(broken([], { threads: 48 })).toContain('whole warps');
    expect(broken([], { shared: [sharedBuffer('huge', 200_000)] })).toContain('200000 B of shared memory');
    expect(broken([], { target: 'vax' })).toContain('unknown target vax');
    expect(broken([], { shared: [sharedBuffer('s', 16, 8)] })).toContain('16-byte aligned');
  });

  it('lets a block of one warp take barriers where its warp agrees', () => {
    const body = [st.if(4, b.eq(b.div(t, 32), b.param('n', 'i32')), [st.barrier(5)], [], 'block')];
    const params = [{ name: 'n', type: 'i32' as const }];
    expect(broken(body, { threads: 32, params })).toBeUndefined();
    expect(broken(body, { threads: 64, params })).toContain('claimed to be block-uniform');
  });
});

describe('printThread', () => {
  it('prints in the manner of C', () => {
    const e: Expr = b.select(b.lt(b.add(t, 1), 7), b.varRef(f), b.mul(b.varRef(f), b.sub(b.varRef(f), 2)));
    const body = [
      st.loop(4, i, b.constI(0), b.constI(4), [st.set(5, b.lvalue(array, b.varRef(i)), e)], true),
      st.if(6, b.lt(t, 32), [st.barrier(7)], [st.wait(8, 1)], 'warp'),
      st.copy(9, S, b.mul(t, 16), x, b.mul(t, 8), 16, b.lt(t, 64)),
    ];
    const k = threadKernel({ threads: 128, buffers: [x, y], shared: [S], body: [...declared, ...body] });
    expect(printThread(k)).toBe(`kernel by_hand target cuda:sm_80 threads 128 {
  global read f16 x[1024]
  global write f32 y[1024]
  shared f16 %s 1024 B at 0  // 1024 B
  // 1024 B of shared memory
  f32 f = 0.0
  u32 u = 0u
  f32 array[4]
  bool flag
  u32 frag[4]
  unroll for i in 0 .. 4 {
    array[i] = thread + 1 < 7 ? f : f * (f - 2.0)
  }
  if warp-uniform (thread < 32) {
    barrier
  } else {
    cp.async.wait 1
  }
  cp.async.16 %s[thread * 16] <- x[thread * 8] where thread < 64
}
`);
    expect(printThread(k, { spans: true })).toContain('barrier  // kernel.ts:7');
  });
});
