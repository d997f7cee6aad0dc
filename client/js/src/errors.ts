// What this package throws. Every error has a `reason`, one of the stable words of docs/protocol.md, and a text that says
// what is wrong, where, and what to do about it. A text that the server gave is passed on whole.
import type { Finding } from './report.js';

/** The base of all errors of this package; decide by `reason`. */
export class CmdMoxError extends Error {
  constructor(message: string, readonly reason = 'INTERNAL', options?: ErrorOptions) {
    super(message, options);
  }
}

/** The test declares something that cannot be: thrown by the call that says it. */
export class BuilderError extends CmdMoxError {
  constructor(message: string, reason = 'INVALID_ARGUMENT', options?: ErrorOptions) {
    super(message, reason, options);
  }
}

/** Not allowed now: before replay, after verify, while another session is applied. */
export class LifecycleError extends CmdMoxError {
  constructor(message: string, reason = 'BAD_STATE', options?: ErrorOptions) {
    super(message, reason, options);
  }
}

/** There is no server, it ended, it does not answer, or what it says cannot be understood. */
export class ServerError extends CmdMoxError {
  constructor(message: string, reason = 'NO_SERVER', options?: ErrorOptions) {
    super(message, reason, options);
  }
}

/** This machine cannot have sessions as it is: the directory for shims, or the shim itself. */
export class SetupError extends CmdMoxError {
  constructor(message: string, reason = 'SHIM_MISSING', options?: ErrorOptions) {
    super(message, reason, options);
  }
}

/** The schema has it, this version of the server does not. */
export class UnimplementedError extends CmdMoxError {
  constructor(message: string, reason = 'UNIMPLEMENTED', options?: ErrorOptions) {
    super(message, reason, options);
  }
}

/** The calls were not those that were expected. The text is the server's report; `findings` are its parts, empty where a
 * single assertion failed. `cause` is the first error that a handler or a predicate of the session threw. */
export class VerificationError extends CmdMoxError {
  declare readonly findings: readonly Finding[];

  constructor(message: string, findings: readonly Finding[] = [], options?: ErrorOptions) {
    super(message, 'VERIFICATION_FAILED', options);
    Object.defineProperty(this, 'findings', { value: findings }); // not shown beside the text that says them
  }
}

/** A session was replayed and ended without verify(): whatever happened would have passed. */
export class UnverifiedError extends VerificationError {}

const CLASSES = { CmdMoxError, BuilderError, LifecycleError, ServerError, SetupError, UnimplementedError, VerificationError, UnverifiedError };
for (const [name, its] of Object.entries(CLASSES)) {
  Object.defineProperty(its.prototype, 'name', { value: name, configurable: true, writable: true });
}

type Kind = new (message: string, reason?: string, options?: ErrorOptions) => CmdMoxError;

const BY_REASON = new Map<string, Kind>();
for (const [kind, reasons] of [
  [BuilderError, 'INVALID_ARGUMENT BAD_COMMAND_NAME BUILDER BAD_REGEX BAD_MATCHER NOT_FOUND BAD_ADDRESS UNSUPPORTED_SCHEME '
    + 'PATH_TOO_LONG FRAME_TOO_LARGE TOO_COMPLEX BAD_TIMEOUT'],
  [LifecycleError, 'BAD_STATE FORKED ENVIRONMENT_BUSY'],
  [ServerError, 'CANCELLED DEADLINE_EXCEEDED UNAUTHENTICATED PERMISSION_DENIED BAD_FRAME BAD_PAYLOAD VERSION_MISMATCH BAD_HELLO '
    + 'LINK_CLOSED NO_ENDPOINT NO_SERVER'],
  [SetupError, 'TEMP_DIRECTORY UNSAFE_DIRECTORY SHIM_MISSING SHIM_BROKEN SHIM_VERSION NOT_EXECUTABLE IO'],
  [UnimplementedError, 'UNIMPLEMENTED'],
] as const) {
  for (const reason of reasons.split(' ')) BY_REASON.set(reason, kind);
}

/** The error of the class that stands for this reason; one that is not known yet is a plain CmdMoxError. */
export function errorOf(reason: string, message: string): CmdMoxError {
  return new (BY_REASON.get(reason) ?? CmdMoxError)(message, reason);
}

/** The same error, with the place in front of its text. */
export function relocated(error: CmdMoxError, where: string): CmdMoxError {
  return errorOf(error.reason, `${where}: ${error.message}`);
}
