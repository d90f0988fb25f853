/** patc devices: the hardware descriptions that the tuner knows, and the device that is here. */
import type { Command } from 'commander';
import type { DeviceFlags } from '../device-list.ts';
import type { Output } from '../output.ts';

export const addDevices = (
  cli: Command,
  action: (work: (out: Output) => Promise<number>) => Promise<void>,
): void => {
  cli
    .command('devices')
    .description('hardware descriptions, and the device that is here')
    .option('--no-present', 'do not look for a device')
    .option('--sources', 'where every figure comes from')
    .action((flags: DeviceFlags) =>
      action(async (out) => (await import('../device-list.ts')).listDevices(flags, out)),
    );
};
