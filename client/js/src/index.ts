// Command mocking: test programs that call other programs. The one entry of the package; src/index.mts is the same for
// import.
import './dispose.js';

export type { Answer, Chunk, File, Files, HandlerResult, Passing, Response } from './answers.js';
export type { Handler } from './callbacks.js';
export { Double } from './double.js';
export {
  BuilderError, CmdMoxError, LifecycleError, ServerError, SetupError, UnimplementedError, UnverifiedError, VerificationError,
} from './errors.js';
export { Call, CapturedStream, Invocation } from './invocation.js';
export { Location } from './location.js';
export {
  ListMatcher, Matcher, allOf, any, anyOf, anyOrder, argsContain, contains, endsWith, eq, flag, glob, isA, jsonEquals, not, oneOf, predicate, regex,
  rest, startsWith, unset,
} from './matchers.js';
export type { Argument, BytesPredicate, Matching, TextPredicate } from './matchers.js';
export type { Difference, Finding, Report } from './report.js';
export { CmdMox } from './session.js';
export type { Format, Options } from './session.js';
export type { Value } from './text.js';
export { VERSION } from './version.js';
