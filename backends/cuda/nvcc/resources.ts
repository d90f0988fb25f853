/** What `-Xptxas -v` says about each kernel. */

export interface Resources {
  readonly registers: number;
  readonly spillStoreBytes: number;
  readonly spillLoadBytes: number;
  readonly stackBytes: number;
  /** Static shared memory; the dynamic arena is the launch's. */
  readonly staticSharedBytes: number;
}

/** Resources by kernel symbol, from nvcc's (or NVRTC's) log. */
export function parseResources(log: string): Map<string, Resources> {
  const found = new Map<string, Resources>();
  let symbol: string | undefined;
  let frame = { stack: 0, stores: 0, loads: 0 };
  for (const line of log.split('\n')) {
    const entry = /Compiling entry function '([^']+)'/.exec(line);
    if (entry) {
      symbol = entry[1];
      frame = { stack: 0, stores: 0, loads: 0 };
      continue;
    }
    const spills = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line);
    if (spills) frame = { stack: Number(spills[1]), stores: Number(spills[2]), loads: Number(spills[3]) };
    const used = /Used (\d+) registers/.exec(line);
    if (!used || symbol === undefined) continue;
    const smem = /(\d+) bytes smem/.exec(line);
    found.set(symbol, {
      registers: Number(used[1]),
      spillStoreBytes: frame.stores,
      spillLoadBytes: frame.loads,
      stackBytes: frame.stack,
      staticSharedBytes: smem ? Number(smem[1]) : 0,
    });
    symbol = undefined;
  }
  return found;
}
