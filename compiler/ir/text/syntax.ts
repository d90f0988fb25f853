/** What the parser builds: ops with their words still as tokens; elaborate.ts gives them meaning. */
import type { IToken } from 'chevrotain';

export interface NumberSyntax {
  readonly key: IToken;
  readonly value: IToken;
}

export type ParamSyntax =
  | {
      readonly kind: 'scalar';
      readonly name: IToken;
      readonly type: IToken;
      readonly at: IToken | undefined;
      readonly start: IToken;
    }
  | {
      readonly kind: 'tensor';
      readonly access: IToken;
      readonly name: IToken;
      readonly element: IToken;
      readonly dims: readonly IToken[];
      readonly strides: readonly IToken[] | undefined;
      readonly at: IToken | undefined;
      readonly start: IToken;
    };

export interface BlockSyntax {
  readonly ops: readonly OpSyntax[];
  readonly yields: readonly IToken[];
}

export interface CarrySyntax {
  readonly param: IToken;
  readonly init: IToken;
  readonly type: IToken;
}

/** A flat op; which fields are there depends on its mnemonic `word`. */
export interface FlatSyntax {
  readonly kind: 'flat';
  readonly word: IToken;
  readonly operands: readonly IToken[];
  /** const: the value. transpose: the permutation. programId, reduce: the axis. */
  readonly numbers: readonly IToken[];
  readonly tensor?: IToken | undefined;
  readonly indices?: readonly IToken[] | undefined;
  readonly acc?: IToken | undefined;
  readonly mask?: IToken | undefined;
  readonly other?: IToken | undefined;
  readonly evictFirst?: IToken | undefined;
  readonly type?: IToken | undefined;
}

export interface LoopSyntax {
  readonly kind: 'for' | 'ragged' | 'rows';
  readonly word: IToken;
  /** The loop variable; for a ragged loop, the entry as `trips` sees it. */
  readonly variable?: IToken | undefined;
  readonly lo: IToken;
  readonly hi: IToken;
  readonly mask?: IToken | undefined;
  readonly step?: IToken | undefined;
  readonly predicated?: IToken | undefined;
  readonly trips?: BlockSyntax | undefined;
  /** Entry and trip as the body of a ragged loop sees them. */
  readonly each?: readonly IToken[] | undefined;
  readonly carry: readonly CarrySyntax[];
  readonly body: BlockSyntax;
}

export interface IfSyntax {
  readonly kind: 'if';
  readonly word: IToken;
  readonly cond: IToken;
  readonly then: BlockSyntax;
  readonly else: BlockSyntax | undefined;
}

export interface OpSyntax {
  readonly results: readonly IToken[];
  readonly body: FlatSyntax | LoopSyntax | IfSyntax;
  readonly at: IToken | undefined;
}

export interface KernelSyntax {
  readonly name: IToken;
  readonly at: IToken | undefined;
  readonly spec: readonly NumberSyntax[];
  readonly tile: readonly NumberSyntax[];
  readonly params: readonly ParamSyntax[];
  readonly block: BlockSyntax;
  readonly files: readonly NumberSyntax[];
}
