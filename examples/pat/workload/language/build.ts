/** Concrete syntax to statements. Statements that recovery completed with made-up tokens are left out. */
import type { CstElement, CstNode, IToken } from 'chevrotain';
import type { Span } from '../../../../compiler/ir/span.ts';
import type {
  Block,
  NodeStatement,
  Place,
  Range,
  Setting,
  Statement,
  StopStatement,
  UseStatement,
} from './ast.ts';

export class Builder {
  private readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  statements(cst: CstNode): Statement[] {
    return ordered(cst).flatMap((node) => this.statement(node));
  }

  private statement(node: CstNode): Statement[] {
    if (node.recoveredNode && node.name !== 'node' && node.name !== 'group') return [];
    switch (node.name) {
      case 'setting':
        return this.setting(node);
      case 'group': {
        const name = token(node, 'Name');
        const body = child(node, 'block');
        return name && body
          ? [{ kind: 'group', name: name.image, body: this.block(body), ...this.place(node) }]
          : [];
      }
      case 'decode': {
        const steps = token(node, 'Integer');
        return steps ? [{ kind: 'decode', steps: Number(steps.image), ...this.place(node) }] : [];
      }
      case 'leave': {
        const name = token(node, 'Name');
        return name
          ? [{ kind: 'leave', name: name.image, times: this.times(node), ...this.place(node) }]
          : [];
      }
      default:
        return this.item(node);
    }
  }

  private item(node: CstNode): (NodeStatement | StopStatement | UseStatement)[] {
    if (node.name === 'stop') return [{ kind: 'stop', times: this.times(node), ...this.place(node) }];
    const name = token(node, 'Name');
    if (!name) return [];
    if (node.name === 'use')
      return [{ kind: 'use', name: name.image, times: this.times(node), ...this.place(node) }];
    const body = child(node, 'block');
    return [
      {
        kind: 'node',
        name: name.image,
        tokens: this.range(node),
        inPlace: node.children['Word-in-place'] !== undefined,
        queries: Number(token(node, 'Integer')?.image ?? 1),
        times: this.times(node),
        body: body && this.block(body),
        ...this.place(node),
      },
    ];
  }

  private setting(node: CstNode): Setting[] {
    const name = token(node, 'name');
    const value = token(node, 'value');
    const second = token(node, 'second');
    if (!name || !value) return [];
    const text = second ? `${value.image}/${second.image}` : value.image;
    return [{ kind: 'setting', name: name.image as Setting['name'], value: text, ...this.place(node) }];
  }

  private block(node: CstNode): Block {
    return {
      statements: ordered(node).flatMap((n) => this.item(n)),
      endOffset: token(node, 'RightBrace')?.startOffset ?? Infinity,
    };
  }

  private times(node: CstNode): number {
    const times = child(node, 'times');
    const count = times && token(times, 'Integer');
    return count ? Number(count.image) : 1;
  }

  /** A length that is missing was reported; what is around it is still checked. */
  private range(node: CstNode): Range {
    const range = child(node, 'range');
    const from = range && token(range, 'from');
    if (!from) return { from: 1, to: 1, span: this.place(node).span };
    const to = token(range, 'to') ?? from;
    return { from: Number(from.image), to: Number(to.image), span: this.span(from) };
  }

  private place(node: CstNode): Place {
    const first = firstToken(node)!;
    return { span: this.span(first), offset: first.startOffset };
  }

  private span(t: IToken): Span {
    return { file: this.file, line: t.startLine!, column: t.startColumn! };
  }
}

const isToken = (element: CstElement): element is IToken => 'image' in element;

/** Made-up tokens have no text. */
function token(node: CstNode, name: string): IToken | undefined {
  const found = node.children[name]?.[0];
  return found && isToken(found) && !found.isInsertedInRecovery && found.image !== '' ? found : undefined;
}

function child(node: CstNode, name: string): CstNode | undefined {
  const found = node.children[name]?.[0];
  return found && !isToken(found) ? found : undefined;
}

function firstToken(node: CstNode): IToken | undefined {
  let first: IToken | undefined;
  for (const element of Object.values(node.children).flat()) {
    const t = isToken(element) ? element : firstToken(element);
    if (t && t.startOffset >= 0 && (!first || t.startOffset < first.startOffset)) first = t;
  }
  return first;
}

/** The node's statements in file order. */
const ordered = (node: CstNode): CstNode[] =>
  Object.values(node.children)
    .flat()
    .filter((e): e is CstNode => !isToken(e) && firstToken(e) !== undefined)
    .sort((a, b) => firstToken(a)!.startOffset - firstToken(b)!.startOffset);
