import { execFileSync } from 'node:child_process';
import { Child, type ChildSetup } from './child.js';

/** How a process gets a network of its own: as root, or as whoever may make user namespaces. */
const WAYS = [
  { unshare: ['--net'], enter: ['--net'] },
  { unshare: ['--map-root-user', '--net'], enter: ['--user', '--preserve-credentials', '--net'] },
];
const way = WAYS.find(({ unshare }) => works('unshare', [...unshare, 'nft', 'list', 'ruleset']));

/** Why there can be none here; undefined where there can. */
export const noNamespaces =
  way === undefined
    ? 'no network namespace with nft may be made here (apt-get install nftables iproute2 util-linux, and root or user namespaces)'
    : undefined;

/** A network of its own, in which only a loopback is up. It is gone with the test. */
export class NetworkNamespace {
  private constructor(private readonly holder: Child) {}

  static async create(): Promise<NetworkNamespace> {
    const script = 'process.stdin.resume(); console.log(JSON.stringify({ ready: true }))';
    const holder = Child.start(['-e', script], preloadedInside(['unshare', ...way!.unshare]));
    await holder.report('ready');
    const namespace = new NetworkNamespace(holder);
    namespace.run('ip', ['link', 'set', 'lo', 'up']);
    return namespace;
  }

  /** For processes that are to live in it. */
  get setup(): ChildSetup {
    return preloadedInside(['nsenter', ...this.entry]);
  }

  /** From now on not a packet from or to that TCP port arrives, and nobody is told. */
  partition(port: number): void {
    const rules = ['type filter hook input priority 0', `tcp dport ${port} drop`, `tcp sport ${port} drop`];
    this.run(
      'nft',
      ['--file', '-'],
      `table inet partition${port} { chain input { ${rules.join('; ')}; }; }\n`,
    );
  }

  private get entry(): readonly string[] {
    return ['--target', String(this.holder.pid), ...way!.enter];
  }

  private run(command: string, args: readonly string[], input = ''): void {
    const env = { ...process.env, LD_PRELOAD: '' };
    execFileSync('nsenter', [...this.entry, command, ...args], { input, env });
  }
}

/** A preloaded sanitizer is node's alone. */
function preloadedInside(wrapper: readonly string[]): ChildSetup {
  const { LD_PRELOAD = '' } = process.env;
  return LD_PRELOAD === ''
    ? { wrapper }
    : { wrapper: [...wrapper, 'env', `LD_PRELOAD=${LD_PRELOAD}`], env: { LD_PRELOAD: '' } };
}

function works(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore', env: { ...process.env, LD_PRELOAD: '' } });
    return true;
  } catch {
    return false;
  }
}
