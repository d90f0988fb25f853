/** A place in an author's source. Lines and columns start at 1. */
export interface Span {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Further author frames, from the call site outwards ("called from"). */
  readonly chain?: readonly Span[];
}

export const unknownSpan: Span = { file: '<unknown>', line: 0, column: 0 };

export const showSpan = (s: Span): string => `${s.file}:${s.line}:${s.column}`;
