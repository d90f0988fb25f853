/** What emission asks of a whole kernel body. */
import { exprsOf, walkExpr, walkStmts } from '../../../compiler/thread/walk.ts';
import type { Expr, GlobalBuffer, Stmt } from '../../../compiler/thread/nodes.ts';

/** Every expression that a body evaluates, operands included. */
export function eachExpression(body: readonly Stmt[], visit: (e: Expr) => void): void {
  walkStmts(body, (s) => exprsOf(s).forEach((root) => walkExpr(root, visit)));
}

/** Every place where a global buffer is addressed by an element index. */
export function globalAccesses(body: readonly Stmt[]): { buffer: GlobalBuffer; index: Expr }[] {
  const found: { buffer: GlobalBuffer; index: Expr }[] = [];
  walkStmts(body, (s) => {
    switch (s.s) {
      case 'loadGlobalWords':
      case 'storeGlobalWords':
      case 'storeGlobal':
      case 'atomicGlobal':
        found.push({ buffer: s.buffer, index: s.index });
        break;
      case 'cpAsync':
        found.push({ buffer: s.from, index: s.index });
        break;
    }
  });
  eachExpression(body, (e) => {
    if (e.e === 'loadGlobal') found.push({ buffer: e.buffer, index: e.index });
  });
  return found;
}
