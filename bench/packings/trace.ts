/**
 * A synthetic request trace, the same on every machine: chats that come back with their history, under a few system prompts, and
 * one-off requests. Arrivals, lengths and sharing are made up; what it stands for is a decode batch as continuous batching
 * leaves it, ragged and partly shared.
 */
import { Random } from '../../compiler/ir/random.ts';
import { tokensPerHash, type Request } from '../../examples/pat/workload/trace.ts';

export function syntheticTrace(seed: number, requests: number): Request[] {
  const random = new Random(seed);
  let id = 0;
  const fresh = (count: number): number[] => Array.from({ length: count }, () => id++);
  const prompts = [fresh(2), fresh(4), fresh(8)];
  const chats: number[][] = [];
  let now = 0;
  return Array.from({ length: requests }, (): Request => {
    now += random.integer(5, 60);
    const kind = random.integer(0, 10);
    let ids: number[];
    if (kind < 5 && chats.length > 0) {
      // A turn of a chat: all that was said, and more.
      const chat = random.pick(chats);
      chat.push(...fresh(random.integer(1, 3)));
      ids = [...chat];
    } else if (kind < 8) {
      ids = [...random.pick(prompts), ...fresh(random.integer(1, 4))];
      chats.push([...ids]);
    } else ids = fresh(random.integer(1, 8));
    return {
      timestamp: now,
      input_length: ids.length * tokensPerHash - random.integer(0, tokensPerHash),
      output_length: random.integer(32, 600),
      hash_ids: ids,
    };
  });
}
