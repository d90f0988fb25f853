/** What `patc tune` tunes for: the device that is modelled, or the one that is here. */
import { fail } from '../diagnostics/error.ts';
import type { Target } from '../target.ts';
import { describedBy, findDevice, targetOn, usualDevice, type DeviceDescription } from '../tune/devices.ts';
import { isPresent, presentAt } from '../tune/present.ts';
import type { TuningPlace } from './commands/tune.ts';
import { parseTargets } from './options.ts';

interface Given {
  readonly device?: string;
  readonly target?: string;
}

interface Where {
  readonly device: DeviceDescription;
  readonly deviceName: string;
  readonly target: Target;
  readonly toolchain: string;
}

/** @throws PatcError PAT07xx where the device that was asked for is missing */
export async function settleDevice(on: TuningPlace, given: Given): Promise<Where> {
  const named = given.device === undefined ? undefined : findDevice(given.device);
  const asked = given.target === undefined ? undefined : parseTargets(given.target);
  if (asked && asked.length > 1) fail('PAT0601', '--target: tuning is for one target');
  if (on === 'model') {
    const device = named ?? usualDevice(asked?.[0] ?? parseTargets('cuda:sm_90a')[0]!);
    return {
      device,
      deviceName: device.name,
      target: targetOn(device, asked?.[0]?.name),
      toolchain: 'cost model',
    };
  }
  if (named) fail('PAT0601', `--device says what to model; --on ${on} takes the device that is here`);
  const present = await presentAt(on);
  if (!isPresent(present)) {
    const code = on === 'cuda' ? 'PAT0702' : 'PAT0703';
    fail(code, present.why, present.help === undefined ? {} : { help: present.help });
  }
  const device =
    present.known ?? describedBy(present.target.family, '', present.units) ?? usualDevice(present.target);
  return {
    device,
    deviceName: present.description,
    target: asked?.[0] ?? present.target,
    toolchain: present.description,
  };
}
