/**
 * The paper's tree notation: `1,4,256_32,256,32` is nodes per level and tokens per node of each level. Every leaf is a
 * sequence. Where a level does not divide the next, the first nodes get one child more.
 */
import { fail } from '../../../compiler/diagnostics/error.ts';
import type { BatchInput } from '../batch.ts';

export const isTree = (text: string): boolean => /^[\d,]+_[\d,]+$/.test(text);

const maxTokens = 1 << 30;

export function treeBatch(text: string, page: number): BatchInput {
  const [nodes, tokens] = text
    .split('_')
    .map((part) => part.split(',').map((x) => (x === '' ? NaN : Number(x)))) as [number[], number[]];
  const help = 'write nodes per level, an underscore, tokens per node of each level: 1,4,256_32,256,32';
  if (nodes.length !== tokens.length)
    fail('PAT0501', `tree '${text}': ${nodes.length} levels of nodes, ${tokens.length} of tokens`, { help });
  nodes.forEach((count, level) => {
    if (!(count >= 1) || !(tokens[level]! >= 0))
      fail('PAT0501', `tree '${text}': level ${level + 1} needs at least 1 node and 0 tokens`, { help });
    if (level > 0 && count < nodes[level - 1]!)
      fail(
        'PAT0501',
        `tree '${text}': level ${level + 1} has ${count} nodes, fewer than the ${nodes[level - 1]} above it`,
        { help },
      );
  });
  if (tokens.reduce((sum, t, level) => sum + t * nodes[level]!, 0) > maxTokens)
    fail('PAT0501', `tree '${text}': more than ${maxTokens} tokens`);

  // Pages are handed out to tokens of a path; a page that spans two levels belongs to the deeper node.
  let next = 0;
  let level: { pages: number[]; length: number }[] = [{ pages: [], length: 0 }];
  nodes.forEach((count, depth) => {
    const parents = level;
    level = [];
    parents.forEach((parent, i) => {
      const children = Math.floor(count / parents.length) + (i < count % parents.length ? 1 : 0);
      for (let c = 0; c < children; c++) {
        const length = parent.length + tokens[depth]!;
        const pages = parent.pages.slice(0, Math.floor(parent.length / page));
        while (pages.length * page < length) pages.push(next++);
        level.push({ pages, length });
      }
    });
  });
  return { page, sequences: level, poolPages: Math.max(1, next) };
}
