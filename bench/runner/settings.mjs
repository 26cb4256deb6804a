import { parseArgs } from 'node:util';
import { BenchError } from './errors.mjs';

export const usage = `npm run bench -- <workload> [options]

  --quick              two short rounds: does it run? (not for figures)
  --rounds N           rounds, each contender once in each (5)
  --seconds S          measured window of a run (echo, rpc: 2), or its deadline (accept: 15)
  --warm-up S          before the window, not measured (1)
  --connections N      (echo, rpc: 64, accept: 5000; a client of rpc has one)
  --retries N          repeats of a run that other processes disturbed (2)
  --contenders a,b     only these
  --cases a,b          only these
  --server-cpu N       core of the server (0)
  --load-cpu N         core of the load generator (1)
  --check              exit code 1 unless every target is met
  --save               keep the result as results/<workload>.json (else results/<workload>.latest.json)

  --compare REV        this tree's CPU time a message beside that of another revision (see README.md)
  --pairs N            pairs of fresh servers, an even number (20; with --quick 4)
  --max-ratio R        exit code 1 when an interval lies above this ratio, 1.03 for 3 %
`;

const text = { type: 'string' };
const flag = { type: 'boolean', default: false };

/** @param {string[]} argv */
export function parseCommandLine(argv) {
  try {
    const { values, positionals } = parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        quick: flag,
        rounds: text,
        seconds: text,
        'warm-up': text,
        connections: text,
        retries: text,
        contenders: text,
        cases: text,
        'server-cpu': text,
        'load-cpu': text,
        check: flag,
        save: flag,
        compare: text,
        pairs: text,
        'max-ratio': text,
        help: { ...flag, short: 'h' },
      },
    });
    if (positionals.length > 1)
      throw new BenchError(`One workload at a time, not ${positionals.join(' and ')}.`);
    if (values.quick && values.save) throw new BenchError('--quick is not for figures: it cannot be saved.');
    refuseMixture(values);
    return { workload: positionals[0], values };
  } catch (error) {
    throw error instanceof BenchError ? error : new BenchError(error.message);
  }
}

const ofComparisons = ['pairs', 'max-ratio'];
const notOfComparisons = ['rounds', 'seconds', 'warm-up', 'retries', 'check', 'save'];

function refuseMixture(values) {
  const strange = (values.compare === undefined ? ofComparisons : notOfComparisons).find(
    (name) => values[name],
  );
  if (strange === undefined) return;
  throw new BenchError(
    `--${strange} ${values.compare === undefined ? 'needs' : 'does not go with'} --compare.`,
  );
}

/**
 * The numbers of a run: from the command line, else --quick's, else the workload's.
 *
 * @param {ReturnType<typeof parseCommandLine>['values']} values
 * @param {import('./workload.mjs').Workload} workload
 * @returns {import('./workload.mjs').Settings}
 */
export function resolveSettings(values, workload) {
  const { quick } = values;
  return {
    rounds: number(values, 'rounds', quick ? 2 : 5, { from: 1, to: 100, whole: true }),
    seconds: number(values, 'seconds', quick ? workload.quickSeconds : workload.seconds, {
      from: 0.1,
      to: 60,
    }),
    warmUp: number(values, 'warm-up', quick ? 0.3 : 1, { from: 0, to: 60 }),
    connections: number(values, 'connections', workload.connections, { from: 1, to: 20_000, whole: true }),
    retries: number(values, 'retries', quick ? 0 : 2, { from: 0, to: 10, whole: true }),
    serverCpu: number(values, 'server-cpu', 0, { from: 0, to: 4095, whole: true }),
    loadCpu: number(values, 'load-cpu', 1, { from: 0, to: 4095, whole: true }),
  };
}

/**
 * The numbers of a comparison.
 *
 * @param {ReturnType<typeof parseCommandLine>['values']} values
 */
export function resolveComparison(values) {
  const pairs = number(values, 'pairs', values.quick ? 4 : 20, { from: 2, to: 1000, whole: true });
  if (pairs % 2 === 1)
    throw new BenchError('--pairs: an even number, so that each revision goes first as often.');
  return { pairs, maxRatio: number(values, 'max-ratio', undefined, { from: 0.5, to: 10 }) };
}

function number(values, name, fallback, { from, to, whole = false }) {
  if (values[name] === undefined) return fallback;
  const value = Number(values[name]);
  if (!(value >= from && value <= to) || (whole && !Number.isInteger(value))) {
    const kind = whole ? 'a whole number' : 'a number';
    throw new BenchError(`--${name}: "${values[name]}" is not ${kind} from ${from} to ${to}.`);
  }
  return value;
}
