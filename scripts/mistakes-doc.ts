/** Writes docs/mistakes.md from the programs under test/mistakes and what `patc check` prints about them. */
import { writeFileSync } from 'node:fs';
import { checkAll, mistakesPage } from '../test/mistakes/manual.ts';

writeFileSync(new URL('../docs/mistakes.md', import.meta.url), await mistakesPage(checkAll()));
