/**
 * Targets bind a limited number of buffers (8 in WebGPU by default). Beyond that, read-only tensors of one element type
 * are packed end to end into one buffer; their offsets become scalar params. `packBuffers` rewrites a kernel,
 * `packRequest` lays out the data of a run accordingly.
 */
import type { HostArray, HostBuffer, Launch, RunRequest } from '../backend.ts';
import { fail } from '../diagnostics/error.ts';
import { add, mapExpr, mapStmts, param } from './build.ts';
import type { Expr, GlobalBuffer, PackedBuffer, ThreadKernel } from './nodes.ts';

export function packBuffers(k: ThreadKernel, limit: number): ThreadKernel {
  const excess = k.buffers.length - limit;
  if (excess <= 0) return k;
  const group = largestGroup(k);
  if (group.length < 2 || group.length - 1 < excess)
    fail('PAT0307', `${k.name} uses ${k.buffers.length} tensors, ${k.target} binds ${limit} buffers`, {
      span: k.span,
      notes: [{ text: k.buffers.map((b) => b.name).join(', ') }],
      help: 'merge tensors of one element type; read-only i32 tables are packed together already',
    });
  const parts = group.map((b) => ({ name: b.name, offset: `${b.name}_offset`, length: `${b.name}_length` }));
  const packed: PackedBuffer = { name: `${group[0]!.element}_tables`, parts };
  const length = parts.reduce<Expr>((sum, p) => add(sum, param(p.length, 'i32')), {
    e: 'const',
    type: 'i32',
    value: 0,
  });
  const buffer: GlobalBuffer = { name: packed.name, element: group[0]!.element, access: 'read', length };
  const offset = new Map(group.map((b, i) => [b, param(parts[i]!.offset, 'i32')]));
  const body = mapStmts(k.body, {
    expr: (whole) =>
      mapExpr(whole, (e) => {
        const start = e.e === 'loadGlobal' ? offset.get(e.buffer) : undefined;
        return e.e === 'loadGlobal' && start ? { ...e, buffer, index: add(e.index, start) } : e;
      }),
    stmt: (s) => {
      const moved = (from: GlobalBuffer): Expr | undefined => offset.get(from);
      if (s.s === 'loadGlobalWords' && moved(s.buffer))
        return [{ ...s, buffer, index: add(s.index, moved(s.buffer)!) }];
      if (s.s === 'cpAsync' && moved(s.from))
        return [{ ...s, from: buffer, index: add(s.index, moved(s.from)!) }];
      return [s];
    },
  });
  const at = k.buffers.indexOf(group[0]!);
  const buffers = k.buffers.filter((b) => !group.includes(b));
  buffers.splice(Math.min(at, buffers.length), 0, buffer);
  const params = parts.flatMap((p) => [
    { name: p.offset, type: 'i32' as const },
    { name: p.length, type: 'i32' as const },
  ]);
  return { ...k, buffers, params: [...k.params, ...params], packed: [...(k.packed ?? []), packed], body };
}

/** The read-only 32-bit buffers of the element type that has most of them (16-bit ones would lose their alignment). */
function largestGroup(k: ThreadKernel): GlobalBuffer[] {
  const groups = new Map<string, GlobalBuffer[]>();
  for (const b of k.buffers)
    if (b.access === 'read' && b.element !== 'f16' && b.element !== 'bf16')
      groups.set(b.element, [...(groups.get(b.element) ?? []), b]);
  return [...groups.values()].sort((a, b) => b.length - a.length)[0] ?? [];
}

const alignment = 4;
const align = (n: number): number => Math.ceil(n / alignment) * alignment;

/** The same run with packed buffers made of the tensors that they stand for. */
export function packRequest(request: RunRequest): RunRequest {
  if (request.kernels.every((k) => !k.packed)) return request;
  const buffers = new Map(request.buffers.map((b) => [b.name, b]));
  const launches = request.launches.map((launch): Launch => {
    const packed = request.kernels[launch.kernel]!.packed ?? [];
    let { buffers: bound, scalars } = launch;
    for (const p of packed) {
      const sources = p.parts.map((part) => buffers.get(bound[part.name]!)!);
      const name = `${p.name}:${sources.map((s) => s.name).join('+')}`;
      const starts: number[] = [];
      let total = 0;
      for (const s of sources) {
        starts.push(total);
        total = align(total + s.data.length);
      }
      if (!buffers.has(name)) buffers.set(name, concatenate(name, sources, starts, total));
      const rest = Object.entries(bound).filter(([k]) => !p.parts.some((part) => part.name === k));
      bound = { ...Object.fromEntries(rest), [p.name]: name };
      // Lengths include the padding up to the next part, so that they add up to the buffer's length.
      const ends = [...starts.slice(1), total];
      scalars = {
        ...scalars,
        ...Object.fromEntries(
          p.parts.flatMap((part, i) => [
            [part.offset, starts[i]!],
            [part.length, ends[i]! - starts[i]!],
          ]),
        ),
      };
    }
    return { ...launch, buffers: bound, scalars };
  });
  const used = new Set(launches.flatMap((l) => Object.values(l.buffers)));
  return { ...request, launches, buffers: [...buffers.values()].filter((b) => used.has(b.name) || b.output) };
}

function concatenate(
  name: string,
  sources: readonly HostBuffer[],
  starts: readonly number[],
  total: number,
): HostBuffer {
  const make = sources[0]!.data.constructor as new (n: number) => HostArray;
  const data = new make(Math.max(total, 1));
  sources.forEach((s, i) => data.set(s.data as never, starts[i]!));
  return { name, element: sources[0]!.element, data, output: false };
}
