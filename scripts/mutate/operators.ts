/** Mutation operators on TypeScript source: each gives a place and what stands there instead. */
import ts from 'typescript';

export interface Mutation {
  readonly file: string;
  readonly line: number;
  readonly start: number;
  readonly end: number;
  readonly operator: string;
  readonly before: string;
  readonly after: string;
}

const swaps: Partial<Record<ts.SyntaxKind, string>> = {
  [ts.SyntaxKind.PlusToken]: '-',
  [ts.SyntaxKind.MinusToken]: '+',
  [ts.SyntaxKind.AsteriskToken]: '/',
  [ts.SyntaxKind.SlashToken]: '*',
  [ts.SyntaxKind.PercentToken]: '*',
  [ts.SyntaxKind.LessThanToken]: '<=',
  [ts.SyntaxKind.LessThanEqualsToken]: '<',
  [ts.SyntaxKind.GreaterThanToken]: '>=',
  [ts.SyntaxKind.GreaterThanEqualsToken]: '>',
  [ts.SyntaxKind.EqualsEqualsEqualsToken]: '!==',
  [ts.SyntaxKind.ExclamationEqualsEqualsToken]: '===',
  [ts.SyntaxKind.AmpersandAmpersandToken]: '||',
  [ts.SyntaxKind.BarBarToken]: '&&',
};

const methods: Readonly<Record<string, string>> = { some: 'every', every: 'some', min: 'max', max: 'min' };

export function mutationsOf(file: string, text: string): Mutation[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: Mutation[] = [];
  const put = (node: ts.Node, operator: string, after: string): void => {
    const start = node.getStart(source);
    const line = source.getLineAndCharacterOfPosition(start).line + 1;
    const before = text.slice(start, node.end).replace(/\s+/g, ' ');
    found.push({ file, line, start, end: node.end, operator, before, after });
  };
  const visit = (node: ts.Node): void => {
    // Types, imports and messages change nothing that runs.
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node) || ts.isInterfaceDeclaration(node)) return;
    if (ts.isCallExpression(node) && node.expression.getText(source) === 'fail') return;
    if (ts.isBinaryExpression(node)) {
      const swapped = swaps[node.operatorToken.kind];
      if (swapped && !isText(node)) put(node.operatorToken, 'operator', swapped);
    } else if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) {
      put(node, 'negation', node.operand.getText(source));
    } else if (ts.isIfStatement(node)) {
      put(node.expression, 'condition', `!(${node.expression.getText(source)})`);
    } else if (ts.isConditionalExpression(node)) {
      put(node.condition, 'condition', `!(${node.condition.getText(source)})`);
    } else if (ts.isNumericLiteral(node) && !ts.isPropertyAssignment(node.parent)) {
      put(node, 'number', String(Number(node.text) + 1));
    } else if (node.kind === ts.SyntaxKind.TrueKeyword || node.kind === ts.SyntaxKind.FalseKeyword) {
      put(node, 'boolean', node.kind === ts.SyntaxKind.TrueKeyword ? 'false' : 'true');
    } else if (ts.isPropertyAccessExpression(node) && ts.isCallExpression(node.parent)) {
      const other = methods[node.name.text];
      if (other) put(node.name, 'method', other);
    } else if (ts.isExpressionStatement(node) && ts.isCallExpression(node.expression)) {
      put(node, 'statement', ';');
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** `+` that joins strings. */
const isText = (node: ts.BinaryExpression): boolean =>
  [node.left, node.right].some((n) => ts.isStringLiteralLike(n) || ts.isTemplateExpression(n));
