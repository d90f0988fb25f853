/** C identifiers for the author's names: legal, and unique among what is visible. */
import type { Var } from '../../../compiler/thread/nodes.ts';

/** Keywords, and what emitted code itself says inside a kernel. */
const reserved = new Set(
  `alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class co_await
co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype default delete do double
dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable namespace new noexcept
not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires return short signed sizeof
static static_assert static_cast struct switch template this thread_local throw true try typedef typeid typename union
unsigned using virtual void volatile wchar_t while xor xor_eq
threadIdx blockIdx uint2 uint4 int2 int4 float2 float4 make_uint2 make_uint4 make_int2 make_int4 make_float2 make_float4
min max abs fabsf fminf fmaxf fmaf sqrtf rsqrtf expf logf log2f tanhf erff sinf cosf floorf ceilf atomicAdd atomicMax
atomicMin f16 bf16 arena arena_address thread block_x block_y block_z linux unix NULL`.split(/\s+/),
);

/** Functions of C's library that a kernel's symbol at file scope would clash with. */
export const libraryNames: readonly string[] =
  `main printf assert malloc free memcpy memset clock time j0 j1 jn y0 y1 yn gamma exp log sin cos tan sqrt pow exp2 log2
floor ceil round index div signal rand abort exit read write open close remove rename select`.split(/\s+/);

/** A legal identifier near `name`; two leading underscores and names starting with a digit are avoided. */
export function legal(name: string): string {
  const cleaned = name.replace(/[^A-Za-z0-9_]/g, '_').replace(/_{2,}/g, '_');
  const started = /^[A-Za-z]/.test(cleaned) ? cleaned : `v${cleaned.startsWith('_') ? '' : '_'}${cleaned}`;
  return started === '' ? 'v' : started;
}

/** Names by scope: siblings may reuse a name, nested scopes never hide one. */
export class Names {
  readonly #scopes: Set<string>[];
  readonly #byId = new Map<number, string>();

  constructor(taken: readonly string[] = []) {
    this.#scopes = [new Set(taken)];
  }

  #taken(name: string): boolean {
    return reserved.has(name) || this.#scopes.some((s) => s.has(name));
  }

  /** A fresh name in the current scope. */
  fresh(wanted: string): string {
    const base = legal(wanted);
    let name = base;
    for (let n = 2; this.#taken(name); n++) name = `${base}_${n}`;
    this.#scopes.at(-1)!.add(name);
    return name;
  }

  declare(v: Var): string {
    const name = this.fresh(v.name);
    this.#byId.set(v.id, name);
    return name;
  }

  of(v: Var): string {
    const name = this.#byId.get(v.id);
    if (name === undefined) throw new Error(`register ${v.name} (#${v.id}) is used before its declaration`);
    return name;
  }

  scoped<T>(body: () => T): T {
    this.#scopes.push(new Set());
    try {
      return body();
    } finally {
      this.#scopes.pop();
    }
  }
}

/** Distinct names for things listed together, in order. */
export function distinct(wanted: readonly string[], taken: readonly string[] = []): string[] {
  const names = new Names(taken);
  return wanted.map((n) => names.fresh(n));
}
