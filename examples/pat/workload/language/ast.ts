/** What a workload file says, with positions. */
import type { IToken } from 'chevrotain';
import type { Span } from '../../../../compiler/ir/span.ts';

export interface Range {
  readonly from: number;
  readonly to: number;
  readonly span: Span;
}

export interface Place {
  readonly span: Span;
  /** Offset of the first token, for comments. */
  readonly offset: number;
}

/** `page 16`, `heads 32/8`, `dtype f16` … */
export interface Setting extends Place {
  readonly kind: 'setting';
  readonly name: 'page' | 'heads' | 'head-dim' | 'dtype' | 'seed';
  readonly value: string;
}

/** A node of the forest: `document 1024 tokens * 4 { … }`. Without a block it is a sequence. */
export interface NodeStatement extends Place {
  readonly kind: 'node';
  readonly name: string;
  readonly tokens: Range;
  /** The node goes on inside its parent's last, partly filled page. */
  readonly inPlace: boolean;
  readonly queries: number;
  readonly times: number;
  readonly body: Block | undefined;
}

/** `stop * 2`: sequences that end where the enclosing node does. */
export interface StopStatement extends Place {
  readonly kind: 'stop';
  readonly times: number;
}

/** `use turns * 3`: the nodes of a group, each time with content of their own. */
export interface UseStatement extends Place {
  readonly kind: 'use';
  readonly name: string;
  readonly times: number;
}

export interface Block {
  readonly statements: readonly (NodeStatement | StopStatement | UseStatement)[];
  readonly endOffset: number;
}

export interface GroupStatement extends Place {
  readonly kind: 'group';
  readonly name: string;
  readonly body: Block;
}

/** `decode 8`: every running sequence grows by 8 tokens. */
export interface DecodeStatement extends Place {
  readonly kind: 'decode';
  readonly steps: number;
}

/** `leave reply * 3`: the oldest sequences of that name finish. */
export interface LeaveStatement extends Place {
  readonly kind: 'leave';
  readonly name: string;
  readonly times: number;
}

export type Statement =
  Setting | NodeStatement | StopStatement | UseStatement | GroupStatement | DecodeStatement | LeaveStatement;

export interface WorkFile {
  readonly file: string;
  readonly statements: readonly Statement[];
  readonly comments: readonly IToken[];
}
