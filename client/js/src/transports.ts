// What a link runs over: the stdin and stdout of a child, `cmdmox serve --stdio`, or a socket of a server that listens.
//
// The child is in a session of the terminal of its own, so that Ctrl-C does not reach it, and ends when its stdin is closed:
// by us, or by the kernel when this process dies, whatever of.
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import net from 'node:net';
import type { Duplex, Readable, Writable } from 'node:stream';
import { getSystemErrorMap } from 'node:util';

const ENDING = 10_000; // ms that a server has for ending
const LAST_WORD = 1_000; // ms in which it becomes known how a child ended

export interface Receiver {
  data(data: Buffer): void;
  /** The other side has closed: why. */
  end(why: string): void;
  /** There was none. */
  failed(why: string): void;
}

export interface Transport {
  readonly pid?: number | undefined;
  listen(receiver: Receiver): void;
  write(prefix: Buffer, body: Uint8Array): void;
  /** Ends the other side, when it has read what was written; one that hangs is killed. */
  close(hangs: boolean): Promise<void>;
}

function written(stream: Writable, prefix: Buffer, body: Uint8Array): void {
  if (!stream.writable) return; // its end is told by the side that is read
  stream.cork();
  stream.write(prefix);
  stream.write(body);
  stream.uncork();
}

/** What the system says of an error. */
function systemText(error: NodeJS.ErrnoException): string {
  return (error.errno === undefined ? undefined : getSystemErrorMap().get(error.errno)?.[1]) ?? error.message;
}

/** What to do about it. */
function advice(code: string | undefined): string {
  if (code === 'EMFILE' || code === 'ENFILE') return 'close what is not needed, or raise the limit (ulimit -n)';
  if (code === 'EAGAIN' || code === 'ENOMEM') return 'processes or memory are short';
  return 'it was built for another system, or is no program';
}

/** The promise is always rejected: whoever has a child listens before its first event. */
export function startServer(program: string, env: NodeJS.ProcessEnv): Transport | Promise<never> {
  const cannot = (error: NodeJS.ErrnoException): string => `${program} cannot be started: ${systemText(error)}; ${advice(error.code)}`;
  let child: ChildProcessByStdio<Writable, Readable, null>;
  try {
    child = spawn(program, ['serve', '--stdio'], { stdio: ['pipe', 'pipe', 'inherit'], detached: true, env });
  } catch (error) { // some errors are thrown, some are events
    throw { reason: 'NO_SERVER', message: cannot(error as NodeJS.ErrnoException) };
  }
  const { stdin, stdout } = child;
  if (!stdin || !stdout) { // there was not even a pipe
    return new Promise((_, reject) => {
      child.once('error', (error) => reject({ reason: 'NO_SERVER', message: cannot(error) }));
    });
  }
  const name = `the cmdmox server (${program}, process ${child.pid})`;
  let how: string | undefined;
  const ended = new Promise<void>((resolve) => {
    child.on('exit', (status, signal) => {
      how = signal ? `was killed by ${signal}` : `ended with status ${status}`;
      resolve();
    });
    child.on('error', () => resolve());
  });
  stdin.on('error', () => {}); // EPIPE: what is read says why
  return {
    pid: child.pid,
    listen(receiver) {
      child.on('error', (error) => receiver.failed(cannot(error)));
      stdout.on('data', (data: Buffer) => receiver.data(data));
      stdout.on('close', () => {
        let timer: NodeJS.Timeout | undefined;
        void Promise.race([ended, new Promise((resolve) => { timer = setTimeout(resolve, LAST_WORD); })]).then(() => {
          clearTimeout(timer);
          receiver.end(how ? `${name} ${how}; what it had to say is on stderr, and a new CmdMox starts another one` : `${name} closed its output`);
        });
      });
    },
    write: (prefix, body) => written(stdin, prefix, body),
    async close(hangs) {
      if (hangs) child.kill('SIGKILL'); // it would not see that its stdin is closed
      stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), ENDING);
      await ended;
      clearTimeout(timer);
    },
  };
}

export function connectTo(path: string, address: string): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const socket: Duplex & net.Socket = net.connect(path);
    const refused = (error: NodeJS.ErrnoException): void => {
      const known: Record<string, string> = {
        ENOENT: 'there is no such socket; start one with: cmdmox serve --listen ADDRESS', ECONNREFUSED: 'nobody listens there any more',
      };
      reject({ reason: 'NO_SERVER', message: `no server at ${path}: ${known[error.code ?? ''] ?? systemText(error)}` });
    };
    socket.once('error', refused);
    socket.once('connect', () => {
      socket.off('error', refused);
      socket.on('error', () => {}); // its end says so
      resolve({
        listen(receiver) {
          socket.on('data', (data: Buffer) => receiver.data(data));
          socket.on('close', () => receiver.end(`the server at ${address} closed the link: it has ended, or was told to`));
        },
        write: (prefix, body) => written(socket, prefix, body),
        close: () => new Promise((closed) => {
          socket.once('close', () => closed());
          const timer = setTimeout(() => socket.destroy(), ENDING);
          socket.once('close', () => clearTimeout(timer));
          if (socket.destroyed) closed();
          else socket.end(() => socket.destroySoon());
        }),
      });
    });
  });
}
