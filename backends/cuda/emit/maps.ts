/** Host code that encodes a kernel's tensor maps from its arguments, in the launch functions of a `.cu`. */
import { elementBytes } from '../../../compiler/ir/nodes.ts';
import type { Expr } from '../../../compiler/thread/nodes.ts';
import { printExpr } from '../../../compiler/thread/print.ts';
import { tensorMapsOf } from '../../../compiler/thread/walk.ts';
import type { EmittedKernel } from './header.ts';
import type { Signature } from './kernel.ts';

export const mapArguments = (s: Signature): readonly string[] => s.maps;

/** CUtensorMapDataType of what copies move: bits, 16 or 32 of them. */
export const mapTypes = {
  2: { code: 1, name: 'CU_TENSOR_MAP_DATA_TYPE_UINT16' },
  4: { code: 2, name: 'CU_TENSOR_MAP_DATA_TYPE_UINT32' },
} as const;

export const encodesMaps = `
#include <cuda.h>
// The driver's function, without linking against the driver.
static CUresult encode_map(tensor_map *map, CUtensorMapDataType type, unsigned rank, const void *base, const cuuint64_t *extents,
                           const cuuint64_t *strides, const cuuint32_t *box) {
  static decltype(&cuTensorMapEncodeTiled) encode = nullptr;
  if (!encode) {
    void *found = nullptr;
    cudaDriverEntryPointQueryResult result;
    if (cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000, cudaEnableDefault, &result) != cudaSuccess || !found)
      return CUDA_ERROR_NOT_SUPPORTED;
    encode = (decltype(encode))found;
  }
  const cuuint32_t steps[5] = {1, 1, 1, 1, 1};
  return encode((CUtensorMap *)map, type, rank, (void *)base, extents, strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
                CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
}
`;

/** An expression over scalar parameters as C, in 64 bits. */
function wide(e: Expr, params: ReadonlyMap<string, string>): string {
  switch (e.e) {
    case 'const':
      return `${Number(e.value)}ull`;
    case 'param':
      return `(cuuint64_t)${params.get(e.name)}`;
    case 'binary': {
      const sign = { add: '+', sub: '-', mul: '*' }[e.fn as 'add' | 'sub' | 'mul'];
      if (sign) return `(${wide(e.a, params)} ${sign} ${wide(e.b, params)})`;
    }
  }
  throw new Error(`an extent or stride of a tensor map is ${printExpr(e)}`);
}

export function encodeMaps({ kernel, signature }: EmittedKernel): string {
  const params = new Map(kernel.params.map((p, i) => [p.name, signature.params[i]!]));
  return tensorMapsOf(kernel.body)
    .map((m, i) => {
      const name = signature.maps[i]!;
      const eb = elementBytes(m.buffer.element);
      const base = signature.buffers[kernel.buffers.indexOf(m.buffer)];
      const list = (es: readonly string[]): string => `{${es.join(', ')}}`;
      const strides = m.strides.map((s) => `${wide(s, params)} * ${eb}`);
      return `  tensor_map ${name};
  const cuuint64_t ${name}_extents[] = ${list(m.extents.map((e) => wide(e, params)))}, ${name}_strides[] = ${list(strides.length ? strides : ['0'])};
  const cuuint32_t ${name}_box[] = ${list(m.box.map(String))};
  if (encode_map(&${name}, ${mapTypes[eb as 2 | 4].name}, ${m.extents.length}, ${base}, ${name}_extents, ${name}_strides, ${name}_box) != CUDA_SUCCESS)
    return cudaErrorInvalidValue;
`;
    })
    .join('');
}
