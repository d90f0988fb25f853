import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { afterAll, expect, it } from 'vitest';
import { readTar, unpackArchive } from '../../../backends/wgsl/runtime/software.ts';

const folder = mkdtempSync(join(tmpdir(), 'patc-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** One ustar entry. */
function entry(name: string, text: string, type = '0'): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write(text.length.toString(8).padStart(11, '0'), 124);
  header.write(type, 156);
  header.write('ustar', 257);
  const body = Buffer.alloc(Math.ceil(text.length / 512) * 512);
  body.write(text);
  return Buffer.concat([header, body]);
}

const archive = Buffer.concat([
  entry('lib/', '', '5'),
  entry('lib/one.txt', 'x'.repeat(600)),
  entry('two.txt', 'two'),
  Buffer.alloc(1024),
]);

it('reads the files of a tar archive', () => {
  const files = readTar(archive);
  expect([...files.keys()]).toEqual(['lib/one.txt', 'two.txt']);
  expect(Buffer.from(files.get('two.txt')!).toString()).toBe('two');
  expect(files.get('lib/one.txt')).toHaveLength(600);
});

it('unpacks an archive once', () => {
  const before = process.env['XDG_CACHE_HOME'];
  process.env['XDG_CACHE_HOME'] = folder;
  try {
    writeFileSync(join(folder, 'things.tar.br'), brotliCompressSync(archive));
    const pkg = { version: '1.2.3', bin: folder };
    const where = unpackArchive(pkg, 'things');
    expect(where).toBe(join(folder, 'patc', 'things-1.2.3'));
    expect(readFileSync(join(where, 'lib/one.txt'), 'utf8')).toBe('x'.repeat(600));
    writeFileSync(join(where, 'two.txt'), 'kept');
    expect(unpackArchive(pkg, 'things')).toBe(where);
    expect(readFileSync(join(where, 'two.txt'), 'utf8')).toBe('kept');
  } finally {
    if (before === undefined) delete process.env['XDG_CACHE_HOME'];
    else process.env['XDG_CACHE_HOME'] = before;
  }
});
