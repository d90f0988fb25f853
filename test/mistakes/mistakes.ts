/** The ten mistakes of docs/mistakes.md, in its order. */
import type { Code } from '../../compiler/diagnostics/catalogue.ts';

export interface Mistake {
  /** The program in programs/. */
  readonly name: string;
  readonly title: string;
  readonly text: string;
  /** How users of other kernel languages meet it; the reports are public. */
  readonly elsewhere: string;
  readonly code: Code;
  /** In a few words. */
  readonly says: string;
  /** The line of the program that the message must name. */
  readonly line: number;
  readonly exit: 0 | 1;
  readonly flags?: readonly string[];
}

export const mistakes: readonly Mistake[] = [
  {
    name: 'shared-memory',
    title: 'A tile too large for shared memory',
    text: 'The default tile fits an A100 and not WebGPU. patc names every buffer with its line and its arithmetic, and searches the tile numbers of the kernel for the nearest shape that fits.',
    elsewhere:
      'at launch, as two totals: “requested 4194304, available: 101376” (JAX Pallas #20008); “I don’t know which config resulted in this” (Triton #2596)',
    code: 'PAT0301',
    says: 'bytes by buffer and line; what fits',
    line: 11,
    exit: 0,
  },
  {
    name: 'dot-extents',
    title: 'A factor that should be transposed',
    text: 'Both tiles are rows of features; the product needs one of them turned.',
    elsewhere: 'in symbols of the compiler, `u0` and `u1` (Helion #1011)',
    code: 'PAT0101',
    says: 'both shapes; `.T`',
    line: 7,
    exit: 1,
  },
  {
    name: 'mixed-elements',
    title: 'Half precision meets single',
    text: 'Which of the two the sum is computed in is a decision about accuracy; patc leaves it to the author.',
    elsewhere:
      'converted silently, or refused in terms of the generated code (a literal `1.0` became `1i`, TypeGPU)',
    code: 'PAT0102',
    says: 'both types; where to cast',
    line: 8,
    exit: 1,
  },
  {
    name: 'javascript-if',
    title: 'A host condition on a device value',
    text: 'While a kernel is traced a tile is an object, so the condition is always true and the other branch would vanish. No library can trap that at run time, and the types know it: the lint asks them.',
    elsewhere: 'not at all: “untaken branches vanish” is a listed defect of tracing (CuTe DSL documentation)',
    code: 'PAT0103',
    says: 'the value, its type, `k.when` or `.where`',
    line: 7,
    exit: 1,
  },
  {
    name: 'javascript-operators',
    title: 'Host arithmetic on a device value',
    text: 'JavaScript has no operator overloading, and would quietly make `NaN` of a tile; a tile refuses to become a number. (tsc underlines the same line.)',
    elsewhere: 'as `NaN`, or with the operators’ host precedence (TypeGPU #731)',
    code: 'PAT0104',
    says: 'the methods to use',
    line: 8,
    exit: 1,
  },
  {
    name: 'half-an-index',
    title: 'Half of an integer',
    text: 'Division and fractions of integers differ between hosts and devices. In patc an i32 tile takes no fraction; `.div(2)` truncates toward zero everywhere.',
    elsewhere:
      'as wrong numbers: integer division differs between JavaScript and the GPU (TypeGPU #2293, #966, #2892)',
    code: 'PAT0102',
    says: '0.5 is not an integer',
    line: 6,
    exit: 1,
  },
  {
    name: 'missing-mask',
    title: 'A mask forgotten at the edge',
    text: '1,000 elements in blocks of 128: the last block reads 24 elements too far.',
    elsewhere:
      'as an illegal access that ends the process or the tuner (Helion #451, #686), or “only surfaced later when the queue drained” (cubek #334)',
    code: 'PAT0405',
    says: 'thread, element, length and its arithmetic',
    line: 7,
    exit: 1,
  },
  {
    name: 'racing-blocks',
    title: 'Blocks that add to one element',
    text: 'Each block reads the total, adds its part and writes it back; which blocks are lost changes from run to run.',
    elsewhere: 'as numbers that are wrong now and then; race detectors need the device, or a tool of its own',
    code: 'PAT0402',
    says: 'both lines, both threads; use atomics',
    line: 8,
    exit: 1,
  },
  {
    name: 'no-such-tile',
    title: 'A tile number that nobody offered',
    text: 'A configuration that the kernel does not list is refused by name, before anything is compiled.',
    elsewhere:
      '“no config found” while a manual one works (Helion #3161); a bare `PassManager::run failed` (Triton #8304)',
    code: 'PAT0107',
    says: 'the candidates, and where they are listed',
    line: 3,
    exit: 1,
    flags: ['--tile', 'rows=48'],
  },
  {
    name: 'columns-first',
    title: 'Reading down the columns',
    text: 'Right, and eight times the traffic: neighbouring lanes take elements that lie a row apart. A warning, with the sectors that each request moves.',
    elsewhere: 'as a slow kernel, seen with a profiler on the device',
    code: 'PAT0410',
    says: 'sectors per request against what would do',
    line: 8,
    exit: 0,
  },
];
