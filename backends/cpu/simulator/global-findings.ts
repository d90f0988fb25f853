/** The words for what goes wrong in global memory. */
import type { Code } from '../../../compiler/diagnostics/catalogue.ts';
import type { Note } from '../../../compiler/diagnostics/error.ts';
import { printExpr } from '../../../compiler/thread/print.ts';
import { showBlock, type Context } from './context.ts';
import type { GlobalMemory } from './global.ts';
import type { Access, Past } from './global-shadow.ts';
import type { Site } from './site.ts';

const verbs: Record<Access, string> = { read: 'reads', write: 'writes', atomic: 'atomically updates' };
const past: Record<Access, string> = { read: 'read', write: 'wrote', atomic: 'atomically updated' };

export class GlobalFindings {
  private readonly context: Context;
  private readonly memory: GlobalMemory;

  constructor(context: Context, memory: GlobalMemory) {
    this.context = context;
    this.memory = memory;
  }

  private who(thread: number): string {
    return `thread ${thread} of block ${showBlock(this.context)}`;
  }

  private add(code: Code, key: string, site: Site, message: string, notes: Note[], help: string): void {
    this.context.findings.add(key, code, message, site.span, notes, help);
  }

  outside(site: Site, thread: number, index: number, count: number): void {
    const key = `global outside ${site.place}`;
    if (this.context.findings.repeated(key)) return;
    const { buffer, length } = this.memory;
    const to = count > 1 ? ` to ${index + count - 1}` : '';
    this.add(
      'PAT0405',
      key,
      site,
      `${this.who(thread)} accesses element ${index}${to} of ${buffer.name}, which has ${length} elements`,
      [{ text: `the length of ${buffer.name} is ${printExpr(buffer.length)} = ${length}` }],
      'mask the access where the index can leave the tensor',
    );
  }

  misaligned(site: Site, thread: number, index: number, bytes: number): void {
    const key = `global misaligned ${site.place}`;
    if (this.context.findings.repeated(key)) return;
    this.add(
      'PAT0411',
      key,
      site,
      `${this.who(thread)} accesses ${bytes} B at element ${index} of ${this.memory.buffer.name}, which is not aligned to ${bytes} B`,
      [],
      'vector accesses need strides that are multiples of the vector',
    );
  }

  uninitialised(site: Site, thread: number, index: number): void {
    const key = `global uninitialised ${site.place}`;
    if (this.context.findings.repeated(key)) return;
    this.add(
      'PAT0404',
      key,
      site,
      `${this.who(thread)} reads element ${index} of ${this.memory.buffer.name}, which nothing has written`,
      [],
      'write the element first, or mask the read',
    );
  }

  race(site: Site, thread: number, index: number, earlier: Past, access: Access): void {
    const other = this.context.sites[earlier.site]!;
    const key = `global race ${site.place} ${other.place} ${earlier.access}`;
    if (this.context.findings.repeated(key)) return;
    const between = earlier.block !== this.context.block.index;
    const whose = between
      ? `thread ${earlier.thread} of another block (number ${earlier.block})`
      : `thread ${earlier.thread}`;
    this.add(
      'PAT0402',
      key,
      site,
      `${this.who(thread)} ${verbs[access]} element ${index} of ${this.memory.buffer.name} (it holds ${this.memory.show(index)}), which ${whose} ${past[earlier.access]}, and nothing orders the two`,
      [{ text: `${whose} ${past[earlier.access]} it here`, span: other.span }],
      between
        ? 'blocks run in any order: let each element belong to one block, or use atomics, or split the launch'
        : 'put a barrier between the two accesses, or let one thread do both',
    );
  }
}
