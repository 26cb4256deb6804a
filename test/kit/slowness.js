/**
 * How many times as long as on a quiet machine a computation takes now, from 1 to 10: the wall clock's time for a little
 * work by the processor's. Other processes, a limit of the container and a busy host show in it.
 */
export function slowness() {
  const started = performance.now();
  const before = process.cpuUsage();
  while (performance.now() - started < 100);
  const { user, system } = process.cpuUsage(before);
  return Math.min(10, Math.max(1, (performance.now() - started) / ((user + system) / 1_000)));
}
