// What verify() found.
import type { VerifyResponse, Finding as FindingMessage } from './v1/control_pb.js';
import { FindingKind } from './v1/control_pb.js';

/** Of a call and the nearest expectation: "argument 2", "stdin", "environment HOME". */
export interface Difference {
  readonly subject: string;
  readonly expected: string;
  readonly actual: string;
  readonly equal: boolean;
}

/** One thing that is to be said. */
export interface Finding {
  /** "UNEXPECTED_CALL", "EXCESS_CALL", "ORDER", "UNFULFILLED", "HANDLER_FAILED", ...: FindingKind of the schema. */
  readonly kind: string;
  readonly message: string;
  /** The first calls of which it is said, at most 1000; `calls` is how many there are. */
  readonly invocationIds: readonly number[];
  readonly calls: number;
  /** The expectation it speaks of, or the nearest one; 0: none. */
  readonly doubleId: number;
  /** Where that was declared: "push.test.js:12", or "". */
  readonly location: string;
  readonly expectedMinimum: number;
  /** undefined: no bound. */
  readonly expectedMaximum: number | undefined;
  readonly actualCount: number;
  readonly differences: readonly Difference[];
  /** A line of JavaScript that would accept the call. */
  readonly suggestion: string;
  /** Worth saying, and no failure by itself. */
  readonly advisory: boolean;
  readonly hint: string;
}

/** The findings, and their text in the format that was asked for. */
export interface Report {
  readonly passed: boolean;
  readonly findings: readonly Finding[];
  readonly text: string;
}

function finding(message: FindingMessage): Finding {
  return {
    kind: FindingKind[message.kind] ?? String(message.kind),
    message: message.message,
    invocationIds: message.invocationIds.map(Number),
    calls: Number(message.calls),
    doubleId: Number(message.doubleId),
    location: message.location?.file ? `${message.location.file}:${message.location.line}` : '',
    expectedMinimum: Number(message.expectedMinimum),
    expectedMaximum: message.expectedUpper.case ? Number(message.expectedUpper.value) : undefined,
    actualCount: Number(message.actualCount),
    differences: message.differences.map(({ subject, expected, actual, equal }) => ({ subject, expected, actual, equal })),
    suggestion: message.suggestion,
    advisory: message.advisory,
    hint: message.hint,
  };
}

export function reportOf(answer: VerifyResponse): Report {
  return { passed: answer.passed, findings: answer.findings.map(finding), text: answer.text };
}
