/**
 * The software GPU: SwiftShader's Vulkan driver, as the npm package @sparticuz/chromium ships it (x64 Linux).
 *
 * The driver is unpacked once into the user's cache. Its Vulkan loader is opened by absolute path before Dawn asks for
 * `libvulkan.so.1` by name: the dynamic linker then hands Dawn the library that is already there, so neither
 * LD_LIBRARY_PATH nor a second process is needed.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';

const packageName = '@sparticuz/chromium';

/** What to install, for messages. */
export const softwareGpuHelp = `npm install --save-dev ${packageName}`;

export interface SoftwarePackage {
  readonly version: string;
  /** The folder of the brotli archives. */
  readonly bin: string;
}

/** The installed package, looked for beside patc and in the working directory's project. */
export function findSoftwarePackage(): SoftwarePackage | undefined {
  for (const from of [import.meta.url, join(process.cwd(), 'package.json')]) {
    let folder: string;
    try {
      folder = dirname(createRequire(from).resolve(packageName));
    } catch {
      continue;
    }
    // The build folder has a package.json of its own.
    while (!existsSync(join(folder, 'bin', 'swiftshader.tar.br')) && dirname(folder) !== folder)
      folder = dirname(folder);
    if (dirname(folder) === folder) continue;
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
    return { version, bin: join(folder, 'bin') };
  }
  return undefined;
}

/** Regular files of a tar archive. Format: POSIX ustar, 512-byte headers, sizes in octal. */
export function readTar(archive: Uint8Array): Map<string, Uint8Array> {
  const text = (from: number, length: number): string =>
    Buffer.from(archive.subarray(from, from + length))
      .toString('latin1')
      .replace(/\0.*$/s, '');
  const files = new Map<string, Uint8Array>();
  for (let at = 0; at + 512 <= archive.length && archive[at] !== 0;) {
    const size = parseInt(text(at + 124, 12).trim() || '0', 8);
    const type = text(at + 156, 1);
    const prefix = text(at + 257, 5) === 'ustar' ? text(at + 345, 155) : '';
    const name = prefix ? `${prefix}/${text(at, 100)}` : text(at, 100);
    if (type === '' || type === '0') files.set(name, archive.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

/** Places a cache may be, best first: a read-only home must not stop anybody. */
const cacheRoots = (): string[] => [
  join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'patc'),
  join(tmpdir(), `patc-cache-${process.getuid?.() ?? 0}`),
];

/** Unpacks one archive of the package into the cache, once per package version, atomically. Returns the folder. */
export function unpackArchive(pkg: SoftwarePackage, archive: string): string {
  let failure: unknown;
  for (const root of cacheRoots()) {
    const folder = join(root, `${archive}-${pkg.version}`);
    if (existsSync(folder)) return folder;
    try {
      mkdirSync(root, { recursive: true });
      const staging = mkdtempSync(join(root, `.${archive}-`));
      const files = readTar(brotliDecompressSync(readFileSync(join(pkg.bin, `${archive}.tar.br`))));
      for (const [name, bytes] of files) {
        const path = join(staging, name);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, bytes, { mode: 0o755 });
      }
      try {
        renameSync(staging, folder);
      } catch (error) {
        rmSync(staging, { recursive: true, force: true });
        // Another process finished first.
        if (!existsSync(folder)) throw error;
      }
      return folder;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** Keeps what the driver needs alive: koffi unloads a library whose handle is collected. */
const loaded: unknown[] = [];

/** True when the dynamic linker finds a Vulkan loader of the system (which says nothing about drivers). */
export async function hasSystemVulkan(): Promise<boolean> {
  try {
    const { default: koffi } = await import('koffi');
    loaded.push(koffi.load('libvulkan.so.1'));
    return true;
  } catch {
    return false;
  }
}

/**
 * Makes the software GPU the Vulkan driver that Dawn instances created from now on will see.
 * Returns the reason when that is not possible on this machine.
 */
export async function useSoftwareGpu(
  pkg: SoftwarePackage | null = findSoftwarePackage() ?? null,
): Promise<{ ok: true } | { ok: false; reason: string }> {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return {
      ok: false,
      reason: `the software GPU is x64 Linux only, this is ${process.platform} ${process.arch}`,
    };
  if (!pkg) return { ok: false, reason: `${packageName}, which carries a software GPU, is not installed` };
  try {
    const folder = unpackArchive(pkg, 'swiftshader');
    const { default: koffi } = await import('koffi');
    const libc = koffi.load(null);
    // Not process.env: in a worker thread that is a copy which the Vulkan loader never sees.
    const setenv = libc.func('int setenv(const char *name, const char *value, int overwrite)');
    setenv('VK_ICD_FILENAMES', join(folder, 'vk_swiftshader_icd.json'), 1);
    setenv('VK_DRIVER_FILES', join(folder, 'vk_swiftshader_icd.json'), 1);
    loaded.push(libc, koffi.load(join(folder, 'libvulkan.so.1')));
    return { ok: true };
  } catch (error) {
    return { ok: false, reason: `the software GPU does not load: ${(error as Error).message}` };
  }
}
