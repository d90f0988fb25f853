/** The programs that come with patc, by the name that the command line takes. Loaded when asked for. */
type Module = Record<string, unknown>;

export const shipped: Readonly<Record<string, () => Promise<Module>>> = {
  pat: () => import('./pat/index.ts'),
  softmax: () => import('./softmax/program.ts'),
  rmsnorm: () => import('./rmsnorm/program.ts'),
  gemm: () => import('./gemm/program.ts'),
  prefill: () => import('./prefill/program.ts'),
  reduction: () => import('./reduction/program.ts'),
};
