/** What a simulation finds: diagnostics with both places, each pair of places once, and counts per memory access. */
import type { Code } from '../../../compiler/diagnostics/catalogue.ts';
import type { Diagnostic, Note } from '../../../compiler/diagnostics/error.ts';
import type { Span } from '../../../compiler/ir/span.ts';
import { diagnosePerformance, type AccessStatistics } from './statistics.ts';

export interface Finding extends Diagnostic {
  /** How often it happened; the text tells the first time. */
  readonly count: number;
}

export interface SimulationStatistics {
  readonly blocks: number;
  /** Statements that warps executed. */
  readonly statements: number;
  readonly barriers: number;
  /** Bytes of shared memory that the kernel reserves, and the highest byte that was touched. */
  readonly sharedBytes: number;
  readonly sharedPeak: number;
  readonly accesses: readonly AccessStatistics[];
}

export interface SimulationReport {
  readonly kernel: string;
  readonly ok: boolean;
  /** Wrong behaviour: PAT0401 to PAT0407 and PAT0411. */
  readonly errors: readonly Finding[];
  /** Slow behaviour that matters in the whole kernel: bank conflicts (PAT0409), uncoalesced access (PAT0410). */
  readonly warnings: readonly Finding[];
  readonly statistics: SimulationStatistics;
}

interface Entry {
  diagnostic: Diagnostic;
  count: number;
}

/** Collects diagnostics; `key` tells which are the same. */
export class Findings {
  private readonly entries = new Map<string, Entry>();

  /** Counts a repetition and says whether the finding is new, so that its text need not be made again. */
  repeated(key: string): boolean {
    const entry = this.entries.get(key);
    if (entry) entry.count++;
    return entry !== undefined;
  }

  add(key: string, code: Code, message: string, span: Span, notes: readonly Note[], help?: string): void {
    if (this.repeated(key)) return;
    const diagnostic = { code, message, span, notes, ...(help ? { help } : {}) };
    this.entries.set(key, { diagnostic, count: 1 });
  }

  list(): Finding[] {
    return [...this.entries.values()].map(({ diagnostic, count }) => ({ ...diagnostic, count }));
  }
}

export function makeReport(
  kernel: string,
  findings: Findings,
  statistics: SimulationStatistics,
): SimulationReport {
  const errors = findings.list();
  return {
    kernel,
    ok: errors.length === 0,
    errors,
    warnings: diagnosePerformance(statistics.accesses),
    statistics,
  };
}
