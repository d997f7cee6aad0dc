// The program that npm installs beside this package, for the platforms that have one.
import path from 'node:path';

/** Its path, where the package of this platform is installed. */
export function bundled(): string | undefined {
  try {
    return path.join(path.dirname(require.resolve(`@cmdmox/${process.platform}-${process.arch}/package.json`)), 'bin', 'cmdmox');
  } catch {
    return undefined; // not for this platform, or left out on purpose
  }
}
