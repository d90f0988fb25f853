import type { TuneJson } from '../schemas.ts';
export const reportPage = (d: TuneJson): Promise<string> => Promise.resolve(JSON.stringify(d));
