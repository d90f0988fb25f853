/** The devices that are there, as they describe themselves. */
import type { Target } from '../target.ts';
import { PatcError } from '../diagnostics/error.ts';
import { describedBy, type DeviceDescription } from './devices.ts';

export interface Present {
  readonly place: 'cuda' | 'webgpu';
  readonly description: string;
  readonly target: Target;
  readonly units: number;
  /** The description that stands for it; absent for a card that none knows. */
  readonly known?: DeviceDescription;
}

export interface Absent {
  readonly place: 'cuda' | 'webgpu';
  readonly why: string;
  readonly help?: string;
}

const backendOf = async (place: 'cuda' | 'webgpu') =>
  place === 'cuda'
    ? (await import('../../backends/cuda/index.ts')).cudaBackend
    : (await import('../../backends/wgsl/index.ts')).wgslBackend;

/** Opens the device to ask it, and closes it again. */
export async function presentAt(place: 'cuda' | 'webgpu'): Promise<Present | Absent> {
  try {
    const device = await (await backendOf(place)).open();
    try {
      const { description, target, units } = device;
      const known = describedBy(target.family, description, units);
      return { place, description, target, units, ...(known ? { known } : {}) };
    } finally {
      await device.close();
    }
  } catch (error) {
    if (!(error instanceof PatcError)) throw error;
    const { message, help } = error.diagnostics[0]!;
    return { place, why: message, ...(help === undefined ? {} : { help }) };
  }
}

export const isPresent = (x: Present | Absent): x is Present => 'description' in x;
