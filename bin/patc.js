#!/usr/bin/env node
// Starts patc on a Node that can run it. Plain JavaScript for Node 18 and newer, no dependency: this file must be able
// to say what is missing. In a clone it runs the TypeScript sources, in an installed package the built files.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import * as module from 'node:module';
import { constants, homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(root, 'compiler', 'cli', 'main.ts');
const entry = existsSync(source) ? source : join(root, 'dist', 'compiler', 'cli', 'main.js');

/** 22.18 is the first Node that loads a `.ts` file without a flag. */
const newEnough = (version) => {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 18);
};

/** The `node` package from npm carries a Node binary; look for it beside patc, then upwards from where we stand. */
function findNode() {
  for (const start of [root, process.cwd()]) {
    for (let at = start; ; at = dirname(at)) {
      const folder = join(at, 'node_modules', 'node');
      for (const name of ['node', 'node.exe']) {
        const binary = join(folder, 'bin', name);
        if (!existsSync(binary)) continue;
        try {
          if (newEnough(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version))
            return binary;
        } catch {
          // An unreadable package is one that we cannot use: look further.
        }
      }
      if (dirname(at) === at) break;
    }
  }
  return undefined;
}

/**
 * Started by npx, which fetches what it runs, npx may fetch a Node as well: a few seconds once, then it is in npm's cache.
 * Started in any other way nothing is fetched.
 */
function nodeFromNpx() {
  const npm = process.env.npm_execpath?.replace(/npx-cli\.js$/, 'npm-cli.js');
  if (process.env.npm_command !== 'exec' || !npm?.endsWith('npm-cli.js') || !existsSync(npm))
    return undefined;
  const args = [npm, 'exec', '--yes', '--package=node@24', '--', 'node', '-p', 'process.execPath'];
  const asked = spawnSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const binary = asked.status === 0 ? asked.stdout.trim() : '';
  return existsSync(binary) ? binary : undefined;
}

function tooOld() {
  const message = `patc needs Node 22.18 or newer, this is ${process.version}`;
  const help =
    'run `npm i -D node@24` in this project (it brings a Node of its own), then the same command again';
  if (process.argv.includes('--json')) {
    const diagnostic = {
      code: 'PAT0706',
      name: 'node-too-old',
      severity: 'error',
      message,
      calledFrom: [],
      notes: [],
      help,
    };
    process.stdout.write(`${JSON.stringify({ ok: false, diagnostics: [diagnostic] }, null, 2)}\n`);
  } else {
    process.stderr.write(`error[PAT0706 node-too-old]: ${message}\n   = help: ${help}\n`);
  }
  process.exitCode = 3;
}

/**
 * Node keeps what it made of our sources (types stripped, bytecode), keyed by their content, beside the rest of our cache:
 * starting takes a third of the time. Where the folder cannot be written, nothing is kept. It makes coverage less exact.
 */
function keepCompiled() {
  const { PATC_CACHE, XDG_CACHE_HOME, NODE_V8_COVERAGE } = process.env;
  if (NODE_V8_COVERAGE !== undefined) return;
  try {
    const folder = PATC_CACHE ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'patc');
    module.enableCompileCache?.(join(folder, 'node'));
  } catch {
    // A user without a home folder.
  }
}

function runWith(binary) {
  const child = spawn(binary, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  // A terminal sends its signals to both; one sent to us alone is passed on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', tooOld);
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (signal ? constants.signals[signal] : 0);
  });
}

if (!newEnough(process.versions.node)) {
  const binary = findNode() ?? nodeFromNpx();
  if (binary) runWith(binary);
  else tooOld();
} else if (!existsSync(entry)) {
  process.stderr.write(`patc: ${entry} is missing; run \`npm run build\` in ${root}\n`);
  process.exitCode = 3;
} else {
  // Node 22 warns that type stripping is experimental; that is not news to the reader of our output.
  const emitWarning = process.emitWarning;
  process.emitWarning = (warning, ...rest) => {
    if (!String(warning).includes('Type Stripping')) emitWarning.call(process, warning, ...rest);
  };
  keepCompiled();
  const { main } = await import(pathToFileURL(entry).href);
  process.exitCode = await main(process.argv.slice(2));
}
