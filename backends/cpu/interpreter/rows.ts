/**
 * Which values of a `rows` region are wanted only on the region's rows, so that the interpreter can compute just those.
 *
 * A value qualifies when every use keeps rows apart (elementwise, a reduction along another axis, the left operand or
 * accumulator of a dot, ...) and goes to a value that qualifies or to the region's yields. Indices, masks and values of
 * loads never qualify: a load is carried out, and checked, in full.
 */
import { operandsOf, regionsOf, type Op, type RowsOp, type Value } from '../../../compiler/ir/nodes.ts';

/** Operands whose row i alone decides row i of the result. */
function rowLocalOperands(op: Op): readonly Value[] {
  switch (op.op) {
    case 'unary':
    case 'cast':
    case 'binary':
    case 'compare':
    case 'select':
      return operandsOf(op);
    case 'broadcast':
    case 'reshape':
      return op.a.type.shape[0] === op.result.type.shape[0] ? [op.a] : [];
    case 'transpose':
      return op.permutation[0] === 0 ? [op.a] : [];
    case 'reduce':
      return op.axis > 0 ? [op.a] : [];
    case 'dot':
      return op.acc ? [op.a, op.acc] : [op.a];
    default:
      return [];
  }
}

export function valuesOnRowsOnly(op: RowsOp): Set<Value> {
  const extent = op.inits[0]?.type.shape[0];
  const wanted = new Set<Value>();
  const wantedWhole = new Set<Value>();
  const wantWhole = (ops: readonly Op[]): void => {
    for (const inner of ops) {
      for (const operand of operandsOf(inner)) wantedWhole.add(operand);
      for (const region of regionsOf(inner)) {
        for (const value of region.yields) wantedWhole.add(value);
        wantWhole(region.ops);
      }
    }
  };
  for (const value of op.body.yields) wanted.add(value);
  for (const user of op.body.ops.toReversed()) {
    const result = 'result' in user ? user.result : undefined;
    const narrowed =
      result !== undefined &&
      wanted.has(result) &&
      !wantedWhole.has(result) &&
      result.type.shape[0] === extent &&
      user.op !== 'load';
    if (!narrowed) {
      wantWhole([user]);
      continue;
    }
    const local = rowLocalOperands(user);
    for (const operand of operandsOf(user)) {
      if (local.includes(operand) && operand.type.shape[0] === extent) wanted.add(operand);
      else wantedWhole.add(operand);
    }
    // An operand used twice (dot(x, x)) may be wanted whole as well.
    if (user.op === 'dot') wantedWhole.add(user.b);
  }
  const defined = op.body.ops.flatMap((o) => ('result' in o ? [o.result] : []));
  const narrow = defined.filter(
    (v) => wanted.has(v) && !wantedWhole.has(v) && v.type.shape[0] === extent && extent !== undefined,
  );
  return new Set(narrow);
}
