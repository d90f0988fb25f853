/** Where nvcc is: CUDA_HOME or CUDA_PATH, then PATH, then the toolkit's usual folder. */
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { fail } from '../../../compiler/diagnostics/error.ts';

const executable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** The path of nvcc, or undefined. */
export function findNvcc(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const name = process.platform === 'win32' ? 'nvcc.exe' : 'nvcc';
  const homes = [env['CUDA_HOME'], env['CUDA_PATH']].filter((x) => x !== undefined && x !== '');
  const folders = [
    ...homes.map((home) => path.join(home!, 'bin')),
    ...(env['PATH'] ?? '').split(path.delimiter).filter((x) => x !== ''),
    '/usr/local/cuda/bin',
  ];
  return folders.map((folder) => path.join(folder, name)).find(executable);
}

/** The path of nvcc, or PAT0701. */
export function needNvcc(env: NodeJS.ProcessEnv = process.env): string {
  return (
    findNvcc(env) ??
    fail('PAT0701', 'nvcc was not found', {
      notes: [{ text: 'looked in CUDA_HOME, CUDA_PATH, PATH and /usr/local/cuda/bin' }],
      help: 'install the CUDA toolkit 12 or newer, or point CUDA_HOME at it; emitting .cu files needs no nvcc',
    })
  );
}
