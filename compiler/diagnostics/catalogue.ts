/**
 * The error catalogue: stable code -> stable name. Codes are never reused. One entry, one test and one section of
 * docs/errors.md per code. Ranges: 1xx language (tracing, types, shapes), 2xx Tile IR text and verifier, 3xx lowering and
 * budgets, 4xx behaviour found by the simulator, 5xx workloads and plans, 6xx command line and files, 7xx devices and tools.
 * `exit` is the command's exit code: 1 a diagnostic about the input, 2 wrong usage, 3 something asked for is missing.
 */
export interface CatalogueEntry {
  readonly name: string;
  readonly exit: 1 | 2 | 3;
}

export const catalogue = {
  PAT0101: { name: 'shape-mismatch', exit: 1 },
  PAT0102: { name: 'element-mismatch', exit: 1 },
  PAT0103: { name: 'traced-value-as-condition', exit: 1 },
  PAT0104: { name: 'traced-value-in-javascript-arithmetic', exit: 1 },
  PAT0105: { name: 'unknown-spec', exit: 1 },
  PAT0106: { name: 'bad-spec-value', exit: 1 },
  PAT0107: { name: 'bad-tile-value', exit: 1 },
  PAT0108: { name: 'value-out-of-scope', exit: 1 },
  PAT0109: { name: 'carried-value-changed', exit: 1 },
  PAT0110: { name: 'bad-operand', exit: 1 },
  PAT0111: { name: 'store-not-allowed', exit: 1 },
  PAT0201: { name: 'tile-syntax', exit: 1 },
  PAT0202: { name: 'tile-verification', exit: 1 },
  PAT0203: { name: 'unknown-pass', exit: 2 },
  PAT0301: { name: 'shared-memory-overflow', exit: 1 },
  PAT0302: { name: 'tile-does-not-fit-instruction', exit: 1 },
  PAT0303: { name: 'not-lowerable', exit: 1 },
  PAT0304: { name: 'too-many-threads', exit: 1 },
  PAT0305: { name: 'thread-verification', exit: 1 },
  PAT0306: { name: 'no-feasible-tile', exit: 1 },
  PAT0307: { name: 'too-many-buffers', exit: 1 },
  PAT0308: { name: 'register-spill', exit: 1 },
  PAT0309: { name: 'matrix-unit-idle', exit: 1 },
  PAT0310: { name: 'copies-by-chunks', exit: 1 },
  PAT0401: { name: 'shared-memory-race', exit: 1 },
  PAT0402: { name: 'global-memory-race', exit: 1 },
  PAT0403: { name: 'divergent-barrier', exit: 1 },
  PAT0404: { name: 'uninitialised-read', exit: 1 },
  PAT0405: { name: 'out-of-bounds', exit: 1 },
  PAT0406: { name: 'copy-not-waited-for', exit: 1 },
  PAT0407: { name: 'deadlock', exit: 1 },
  PAT0408: { name: 'bad-launch-argument', exit: 1 },
  PAT0409: { name: 'bank-conflict', exit: 1 },
  PAT0410: { name: 'uncoalesced-access', exit: 1 },
  PAT0411: { name: 'misaligned-access', exit: 1 },
  PAT0501: { name: 'bad-workload', exit: 1 },
  PAT0502: { name: 'page-out-of-range', exit: 1 },
  PAT0503: { name: 'length-past-table', exit: 1 },
  PAT0504: { name: 'bad-heads', exit: 1 },
  PAT0505: { name: 'bad-head-dim', exit: 1 },
  PAT0506: { name: 'coverage-violation', exit: 1 },
  PAT0507: { name: 'bad-trace', exit: 1 },
  PAT0508: { name: 'bad-packing', exit: 2 },
  PAT0509: { name: 'capacity-exceeded', exit: 1 },
  PAT0601: { name: 'usage', exit: 2 },
  PAT0602: { name: 'unknown-target', exit: 2 },
  PAT0603: { name: 'cannot-load-program', exit: 1 },
  PAT0604: { name: 'no-such-file', exit: 1 },
  PAT0605: { name: 'cannot-write', exit: 1 },
  PAT0606: { name: 'verification-failed', exit: 1 },
  PAT0701: { name: 'no-nvcc', exit: 3 },
  PAT0702: { name: 'no-cuda-device', exit: 3 },
  PAT0703: { name: 'no-webgpu-adapter', exit: 3 },
  PAT0704: { name: 'device-lost', exit: 3 },
  PAT0705: { name: 'tool-rejected-code', exit: 1 },
  PAT0706: { name: 'node-too-old', exit: 3 },
  PAT0707: { name: 'device-limit', exit: 1 },
  PAT0708: { name: 'device-call-failed', exit: 3 },
  PAT0709: { name: 'no-typescript', exit: 3 },
} as const satisfies Record<string, CatalogueEntry>;

export type Code = keyof typeof catalogue;
