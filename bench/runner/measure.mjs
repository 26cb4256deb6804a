import { setTimeout } from 'node:timers/promises';
import { disturbance, isDisturbed } from './disturbance.mjs';
import { runGenerator } from './generator.mjs';
import { startServer } from './server.mjs';

/** After a rehearsal: the server has the connections of it to close. */
const settleMilliseconds = 500;

/**
 * Measures one case: in each round every contender once, in an order that rotates, each in a fresh process. Rounds are
 * interleaved so that whatever the machine does meanwhile touches all contenders alike.
 *
 * @param {import('./workload.mjs').Case} benchCase
 * @param {import('./workload.mjs').Settings} settings
 * @param {(round: number, contender: import('./workload.mjs').Contender, sample: object) => void} onSample
 * @returns {Promise<Record<string, import('./workload.mjs').Sample[]>>} samples by contender, one a round
 */
export async function measureCase(benchCase, settings, onSample) {
  const { contenders } = benchCase;
  const samples = Object.fromEntries(contenders.map(({ id }) => [id, []]));
  for (let round = 0; round < settings.rounds; ++round) {
    const first = round % contenders.length;
    for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) {
      const sample = await measureUndisturbed(benchCase, contender, settings);
      samples[contender.id].push(sample);
      onSample(round, contender, sample);
    }
  }
  return samples;
}

/** Repeats a run in which other processes had too much of the two cores, and keeps the least disturbed. */
async function measureUndisturbed(benchCase, contender, settings) {
  let best = await measureOnce(benchCase, contender, settings);
  for (let repeats = 0; repeats < settings.retries && isDisturbed(best); ++repeats) {
    const again = await measureOnce(benchCase, contender, settings);
    if (disturbance(again) < disturbance(best)) best = again;
  }
  return best;
}

async function measureOnce(benchCase, contender, { serverCpu, loadCpu }) {
  const { child, port } = await startServer(contender, serverCpu);
  try {
    const run = {
      port,
      serverPid: child.pid,
      cpu: loadCpu,
      load: benchCase.load,
      generator: contender.generator,
    };
    for (let done = 0; done < (benchCase.rehearsals ?? 0); ++done) {
      await runGenerator(run);
      await setTimeout(settleMilliseconds);
    }
    return await runGenerator(run);
  } catch (error) {
    error.message = `${benchCase.title}, ${contender.label}: ${error.message}\n${child.stderr}`.trimEnd();
    throw error;
  } finally {
    await child.stop();
  }
}
