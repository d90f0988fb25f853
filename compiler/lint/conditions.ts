/** The walk of the lint: every place where JavaScript asks a value whether it is true, or compares it by identity. */
import { relative } from 'node:path';
import type * as TypeScript from 'typescript';
import type { Diagnostic } from '../diagnostics/error.ts';

type Ts = typeof TypeScript;

/** What JavaScript does with the expression, for the message. */
interface Use {
  readonly expression: TypeScript.Expression;
  readonly how: string;
  readonly help: string;
}

const branch =
  'k.when(cond, …) branches on a scalar at run time; cond.where(a, b) chooses element by element';
const logic = 'use .and, .or and .not; cond.where(a, b) chooses element by element';
const compare = 'use .eq and .ne, which compare elements at run time';

export function conditionsIn(
  ts: Ts,
  checker: TypeScript.TypeChecker,
  source: TypeScript.SourceFile,
  isTile: (symbol: TypeScript.Symbol) => boolean,
): Diagnostic[] {
  const found: Diagnostic[] = [];

  /**
   * Whether the expression is a tile for certain. `mask && …` with an optional mask asks whether there is one, which is
   * what JavaScript conditions are for.
   */
  const traced = (expression: TypeScript.Expression): boolean => {
    const type = typeOf(expression);
    const parts = type.isUnion() ? type.types : [type];
    return parts.length > 0 && parts.every((part) => tileLike(part));
  };
  // Behind `if (tile) return;` tsc takes the variable for `never`: its declared type is what counts.
  const typeOf = (expression: TypeScript.Expression): TypeScript.Type => {
    const type = checker.getTypeAtLocation(expression);
    const symbol = type.flags & ts.TypeFlags.Never ? checker.getSymbolAtLocation(expression) : undefined;
    return symbol ? checker.getTypeOfSymbol(symbol) : type;
  };
  const tileLike = (type: TypeScript.Type): boolean => {
    const constraint = checker.getBaseConstraintOfType(type) ?? type;
    const symbol = constraint.getSymbol();
    return symbol !== undefined && isTile(symbol);
  };

  const visit = (node: TypeScript.Node): void => {
    for (const use of usesIn(ts, node)) {
      const expression = bare(ts, use.expression);
      if (!traced(expression)) continue;
      const { line, character } = source.getLineAndCharacterOfPosition(expression.getStart(source));
      const type = checker.typeToString(typeOf(expression));
      const text = expression.getText(source).replace(/\s+/g, ' ');
      found.push({
        code: 'PAT0103',
        message: `\`${text.length > 40 ? `${text.slice(0, 39)}…` : text}\` is a traced value ${use.how}`,
        span: { file: shown(source.fileName), line: line + 1, column: character + 1 },
        notes: [
          {
            text: `its type is ${type}; while the kernel is traced it is an object, whatever the tile will hold`,
          },
        ],
        help: use.help,
      });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Paths as traced spans show them: relative where they lie below the working directory. */
function shown(file: string): string {
  const path = relative(process.cwd(), file).replaceAll('\\', '/');
  return path.startsWith('..') || path === '' ? file : path;
}

function bare(ts: Ts, expression: TypeScript.Expression): TypeScript.Expression {
  let inner = expression;
  while (ts.isParenthesizedExpression(inner) || ts.isNonNullExpression(inner)) inner = inner.expression;
  return inner;
}

/** The expressions that `node` itself decides by (not those of its children). */
function usesIn(ts: Ts, node: TypeScript.Node): Use[] {
  if (ts.isIfStatement(node))
    return [{ expression: node.expression, how: 'used as the condition of `if`', help: branch }];
  if (ts.isWhileStatement(node) || ts.isDoStatement(node))
    return [
      {
        expression: node.expression,
        how: 'used as the condition of a JavaScript loop',
        help: 'k.loop runs at run time',
      },
    ];
  if (ts.isForStatement(node) && node.condition)
    return [
      { expression: node.condition, how: 'used as the condition of `for`', help: 'k.loop runs at run time' },
    ];
  if (ts.isConditionalExpression(node))
    return [{ expression: node.condition, how: 'used as the condition of `?:`', help: branch }];
  if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken)
    return [{ expression: node.operand, how: 'negated by `!`', help: logic }];
  if (ts.isSwitchStatement(node))
    return [{ expression: node.expression, how: 'used in `switch`', help: branch }];
  if (
    ts.isCallExpression(node) &&
    ts.isIdentifier(node.expression) &&
    node.expression.text === 'Boolean' &&
    node.arguments[0]
  )
    return [{ expression: node.arguments[0], how: 'converted by Boolean()', help: branch }];
  return ts.isBinaryExpression(node) ? ofBinary(ts, node) : [];
}

function ofBinary(ts: Ts, node: TypeScript.BinaryExpression): Use[] {
  const operator = ts.tokenToString(node.operatorToken.kind) ?? '';
  switch (node.operatorToken.kind) {
    case ts.SyntaxKind.AmpersandAmpersandToken:
    case ts.SyntaxKind.BarBarToken:
    case ts.SyntaxKind.AmpersandAmpersandEqualsToken:
    case ts.SyntaxKind.BarBarEqualsToken:
      return [{ expression: node.left, how: `to the left of \`${operator}\``, help: logic }];
    case ts.SyntaxKind.EqualsEqualsEqualsToken:
    case ts.SyntaxKind.ExclamationEqualsEqualsToken:
    case ts.SyntaxKind.EqualsEqualsToken:
    case ts.SyntaxKind.ExclamationEqualsToken: {
      const absent = (e: TypeScript.Expression): boolean =>
        e.kind === ts.SyntaxKind.NullKeyword || (ts.isIdentifier(e) && e.text === 'undefined');
      if (absent(node.left) || absent(node.right)) return [];
      const how = `compared by \`${operator}\`, which compares objects and not elements`;
      // Both sides are usually tiles: one report is enough.
      return [{ expression: node.left, how, help: compare }];
    }
    case ts.SyntaxKind.PlusToken:
    case ts.SyntaxKind.MinusToken:
    case ts.SyntaxKind.AsteriskToken:
    case ts.SyntaxKind.SlashToken:
    case ts.SyntaxKind.LessThanToken:
    case ts.SyntaxKind.LessThanEqualsToken:
    case ts.SyntaxKind.GreaterThanToken:
    case ts.SyntaxKind.GreaterThanEqualsToken:
      // These throw PAT0104 when they run; in a branch that tracing did not take they would go unseen.
      return [node.left, node.right].map((expression) => ({
        expression,
        how: `in JavaScript's \`${operator}\``,
        help: 'use the methods: .add, .sub, .mul, .div, .lt, .gt',
      }));
    default:
      return [];
  }
}
