/** Tensor maps for a launch: encoded by the driver from the launch's addresses and scalars. */
import { fail } from '../../../compiler/diagnostics/error.ts';
import { elementBytes } from '../../../compiler/ir/nodes.ts';
import type { Expr, TensorMap } from '../../../compiler/thread/nodes.ts';
import { printExpr } from '../../../compiler/thread/print.ts';
import { mapTypes } from '../emit/maps.ts';
import type { Driver } from './driver.ts';

/** An extent or a stride: sums and products of constants and scalar arguments. */
function evaluate(e: Expr, scalars: Readonly<Record<string, number>>): number {
  if (e.e === 'const') return Number(e.value);
  if (e.e === 'param') return scalars[e.name]!;
  if (e.e === 'binary') {
    const [a, b] = [evaluate(e.a, scalars), evaluate(e.b, scalars)];
    if (e.fn === 'add') return a + b;
    if (e.fn === 'sub') return a - b;
    if (e.fn === 'mul') return a * b;
  }
  throw new Error(`an extent or stride of a tensor map is ${printExpr(e)}`);
}

// CUtensorMap enumerators of cuda.h: no interleaving, 128-byte swizzle, lines promoted to 256 bytes, zeros outside.
const [interleave, swizzle, promotion, fill] = [0, 3, 3, 0];

/** Encodes a map into 128 bytes at `to`, 64-byte aligned. @throws PAT0708 where the tensor does not fit a map. */
export function encodeMap(
  driver: Driver,
  to: bigint,
  map: TensorMap,
  address: bigint,
  scalars: Readonly<Record<string, number>>,
): void {
  const eb = elementBytes(map.buffer.element) as 2 | 4;
  const extents = map.extents.map((e) => evaluate(e, scalars));
  const strides = map.strides.map((e) => evaluate(e, scalars) * eb);
  const rank = extents.length;
  // The driver takes no empty tensors; a kernel of one copies nothing.
  const positive = extents.map((n) => BigInt(Math.max(1, n)));
  if (strides.some((s) => s % 16 !== 0 || s >= 2 ** 40))
    fail(
      'PAT0708',
      `${map.buffer.name} has strides of ${strides.join(', ')} bytes, which no tensor map takes`,
    );
  driver.call(
    `encoding the tensor map of ${map.buffer.name} (${extents.join(' x ')}, innermost first)`,
    'cuTensorMapEncodeTiled',
    to,
    mapTypes[eb].code,
    rank,
    address,
    BigUint64Array.from(positive),
    BigUint64Array.from(strides.length > 0 ? strides.map(BigInt) : [0n]),
    Uint32Array.from(map.box),
    new Uint32Array(rank).fill(1),
    interleave,
    swizzle,
    promotion,
    fill,
  );
}
