/** One kernel of Thread IR as one WGSL module. */
import { exprsOf, walkExpr, walkStmts, writesOf } from '../../../compiler/thread/build.ts';
import type {
  Expr,
  GlobalBuffer,
  LValue,
  Stmt,
  ThreadKernel,
  ThreadParam,
  Var,
} from '../../../compiler/thread/nodes.ts';
import type { Span } from '../../../compiler/ir/span.ts';
import { fail } from '../../../compiler/diagnostics/error.ts';
import { Expressions } from './expression.ts';
import { Helpers } from './helpers.ts';
import { Memory } from './memory.ts';
import { Names } from './names.ts';
import { Statements } from './statement.ts';
import { isBlockId, ownRegisters } from './registers.ts';
import { elementType, storageOf, type Layout, type Storage } from './storage.ts';
import { Uniformity } from './uniformity.ts';
import { unroll } from './unroll.ts';
import { Values } from './values.ts';
import { Writer } from './writer.ts';

/** WebGPU's default maxStorageBuffersPerShaderStage and maxComputeWorkgroupStorageSize. */
const defaultStorageBuffers = 8;
const defaultWorkgroupStorage = 16384;

export interface WgslModule {
  /** The kernel's name in Thread IR. */
  readonly kernel: string;
  readonly code: string;
  readonly entryPoint: string;
  readonly threads: number;
  readonly f16: boolean;
  /** @group(0) @binding(i) in this order. */
  readonly bindings: readonly { readonly name: string; readonly access: 'read' | 'read_write' }[];
  /** The uniform buffer at the binding after the last buffer: one 32-bit word each, in this order. Absent when empty. */
  readonly params: readonly ThreadParam[];
  readonly workgroupBytes: number;
  /** Entry i is the author's place of line i + 1. */
  readonly lines: readonly (Span | undefined)[];
}

export interface EmitOptions {
  /** Use shader-f16. */
  readonly f16: boolean;
}

/** Throws PatcError: PAT0307 more buffers than a WebGPU device must have, PAT0303 a statement that WGSL has not. */
export function emitKernel(k: ThreadKernel, options: EmitOptions): WgslModule {
  if (k.buffers.length > defaultStorageBuffers)
    fail(
      'PAT0307',
      `${k.name} uses ${k.buffers.length} buffers; WebGPU guarantees ${defaultStorageBuffers}`,
      {
        span: k.span,
        notes: [{ text: k.buffers.map((b) => b.name).join(', ') }],
        help: 'merge small tables into one tensor',
      },
    );
  return new KernelEmitter(k, options).emit();
}

class KernelEmitter {
  private readonly k: ThreadKernel;
  private readonly f16: boolean;
  private readonly names = new Names();
  private readonly helpers = new Helpers((wish) => this.names.unique(wish));

  constructor(k: ThreadKernel, options: EmitOptions) {
    this.k = k;
    this.f16 = options.f16;
  }

  emit(): WgslModule {
    const { k } = this;
    const entryPoint = this.names.unique(k.name);
    const params = k.params.map((p) => ({ ...p, field: this.names.unique(p.name) }));
    const body = ownRegisters(unroll(k.body));
    const storage = storageOf(k, body, this.f16, (wish) => this.names.unique(wish));
    const main = this.main(body, storage, new Map(params.map((p) => [p.name, `params.${p.field}`])));
    const workgroupBytes =
      storage.shared.reduce((sum, l) => sum + l.bytes, 0) + (this.helpers.uniformWord ? 16 : 0);
    if (workgroupBytes > defaultWorkgroupStorage)
      fail(
        'PAT0301',
        `${k.name} needs ${workgroupBytes} B of workgroup memory; WebGPU guarantees ${defaultWorkgroupStorage}`,
        {
          span: k.span,
          notes: storage.shared.flatMap((l) =>
            l.buffers.map((b) => ({ text: `${b.name}: ${b.bytes} B, ${b.note}`, span: b.span })),
          ),
          help: 'use a smaller tile',
        },
      );

    const out = new Writer();
    this.header(out);
    if (this.f16 && / f16\b|<f16>|f16\(/.test(main.text())) out.line('enable f16;\n');
    this.declarations(out, storage, params);
    for (const text of this.helpers.functions()) out.line(`${text}\n`);
    out.line(`@compute @workgroup_size(${k.threads})`);
    out.line(`fn ${entryPoint}(`);
    out.line('  @builtin(local_invocation_index) thread_index: u32,');
    out.line('  @builtin(workgroup_id) workgroup_id: vec3<u32>,');
    out.line(') {');
    out.append(main);
    out.line('}');
    return {
      kernel: k.name,
      code: out.text(),
      entryPoint,
      threads: k.threads,
      f16: this.f16,
      bindings: k.buffers.map((b) => ({ name: b.name, access: b.access === 'read' ? 'read' : 'read_write' })),
      params: k.params,
      workgroupBytes,
      lines: out.lineTable(),
    };
  }

  private main(body: readonly Stmt[], storage: Storage, params: ReadonlyMap<string, string>): Writer {
    const writer = new Writer();
    const written = new Set<Var>();
    walkStmts(body, (s) => {
      if (s.s !== 'declare') for (const to of writesOf(s)) written.add(to.var);
    });
    const values = new Values(writer, (wish) => this.names.unique(wish));
    const layoutOf = (b: GlobalBuffer): Layout => storage.global.get(b)!;
    const expressions = new Expressions({
      values,
      paramOf: (name) => params.get(name)!,
      layoutOf,
      helpers: this.helpers,
      f16: this.f16,
    });
    const target = (to: LValue): string =>
      to.index ? `${values.nameOf(to.var)}[${expressions.text(to.index)}]` : values.nameOf(to.var);
    const common = { writer, expressions, helpers: this.helpers, values, target };
    const memory = new Memory({
      ...common,
      layoutOf,
      sharedLayoutOf: (b) => storage.shared.find((l) => l.buffers.includes(b))!,
    });
    const statements = new Statements({
      ...common,
      memory,
      uniformity: new Uniformity(body),
      isWritten: (v) => written.has(v),
      sharesGlobal: this.k.buffers.some((b) => b.access === 'readwrite'),
    });
    writer.indented(() => statements.block(body));
    const prologue = new Writer();
    prologue.indented(() => {
      const used = usedIds(body);
      if (used.thread || this.helpers.uniformWord) prologue.line('let thread = i32(thread_index);');
      if (used.block) prologue.line('let block = vec3<i32>(workgroup_id);');
      for (const line of this.helpers.prologue()) prologue.line(line);
    });
    prologue.append(writer);
    return prologue;
  }

  private header(out: Writer): void {
    const { k } = this;
    const list = (r: Readonly<Record<string, unknown>>): string =>
      Object.entries(r)
        .map(([key, value]) => `${key}=${String(value)}`)
        .join(' ');
    out.line(
      `// ${k.name}: ${k.threads} invocations a workgroup. Generated by patc for ${this.f16 ? 'WGSL with shader-f16' : 'WGSL, default limits'}.`,
    );
    for (const [title, r] of [
      ['spec', k.spec],
      ['tile', k.tile],
    ] as const)
      if (Object.keys(r).length > 0) out.line(`// ${title}: ${list(r)}`);
    for (const b of k.shared)
      out.line(`// workgroup memory: ${b.name}, ${b.bytes} B${b.note ? `, ${b.note}` : ''}`);
    out.line('');
  }

  private declarations(
    out: Writer,
    storage: Storage,
    params: readonly (ThreadParam & { field: string })[],
  ): void {
    this.k.buffers.forEach((b, i) => {
      const l = storage.global.get(b)!;
      const access = b.access === 'read' ? 'read' : 'read_write';
      const note = l.type === b.element ? '' : ` // ${b.element}`;
      out.line(
        `@group(0) @binding(${i}) var<storage, ${access}> ${l.name}: array<${elementType(l)}>;${note}`,
      );
    });
    if (params.length > 0) {
      out.block('\nstruct Params', () => {
        for (const p of params) out.line(`${p.field}: ${p.type === 'bool' ? 'u32' : p.type},`);
      });
      out.line(`@group(0) @binding(${this.k.buffers.length}) var<uniform> params: Params;`);
    }
    out.line('');
    for (const l of storage.shared)
      out.line(`var<workgroup> ${l.name}: array<${elementType(l)}, ${l.bytes / 4 / l.width}>;`);
    if (this.helpers.uniformWord) out.line('var<workgroup> uniform_word: u32;');
    if (storage.shared.length > 0 || this.helpers.uniformWord) out.line('');
  }
}

function usedIds(body: readonly Stmt[]): { thread: boolean; block: boolean } {
  const used = { thread: false, block: false };
  const look = (e: Expr): void => {
    if (e.e === 'threadId') used.thread = true;
    if (e.e === 'var' && isBlockId(e.var)) used.block = true;
  };
  walkStmts(body, (s) => exprsOf(s).forEach((e) => walkExpr(e, look)));
  return used;
}
