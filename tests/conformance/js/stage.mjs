// A scenario at work: the steps that declare and judge, through what users of the package write.
import { CmdMox, CmdMoxError, UnverifiedError, VerificationError } from 'cmdmox';

import { Commands, until } from './commands.mjs';
import { bytesOf, expect, listOf, Mismatch, require, told, valueOf } from './values.mjs';
import { answerOf, CALL, matcherOf, matchersOf, passingOf, REFINEMENTS } from './vocabulary.mjs';

/** What scenarios may need. This client lacks nothing; with --sync a command that is waited for lacks what is said here. */
export const PROVIDED = new Set(['handlers', 'predicates', 'failing-predicates', 'refine', 'live', 'recording', 'mistakes', 'gates', 'passthrough',
  'contained', 'absent', 'assertions', 'drain_stdin', 'journal-bound', 'raw', 'reports', 'forget', 'findings', 'journal', 'reasons']);
export const NOT_IN_SYNC = {
  'handlers/hangs': 'the handler returns a promise, which is refused at once while the test waits in spawnSync()',
};

export class Stage {
  doubles = new Map();

  constructor({ address, sync }) {
    this.address = address;
    this.sync = sync;
    this.commands = new Commands(sync);
  }

  get mox() {
    return (this.session ??= new CmdMox({ connect: this.address }));
  }

  close() {
    this.commands.close();
    this.session?.settle();
  }

  async take(step) {
    const names = Object.keys(step).filter((name) => Object.hasOwn(STEPS, name));
    require(names.length === 1, () => `no such step: ${JSON.stringify(step)}`);
    const { [names[0]]: value, ...others } = step;
    const unknown = Object.keys(others).find((key) => !(KEYS[names[0]] ?? ['fails']).includes(key));
    require(unknown === undefined, () => `unknown key ${unknown}: ${JSON.stringify(step)}`);
    await STEPS[names[0]](this, value, others);
  }

  double(name) {
    require(this.doubles.has(name), `no such double: ${name}`);
    return this.doubles.get(name);
  }
}

const HOW = ['stdin', 'env', 'cwd', 'argv0', 'env_entries'];
const DOUBLE = ['as', 'that', 'fails'];
/** The other keys of each step; of those that are not here: fails. */
const KEYS = {
  mock: DOUBLE, stub: DOUBLE, spy: DOUBLE, refine: ['that', 'fails'], in_sequence: ['doubles', 'fails'],
  run: [...HOW, 'expect', 'at_once', 'statuses'], shell: [...HOW, 'expect', 'at_once', 'statuses'], start: [...HOW, 'as'], kill: [], wait: ['expect'],
  await: ['calls'], release: ['calls'], file: ['content', 'mode'],
  verify: ['findings', 'text', 'fails'], assert_called_with: ['args', 'fails'], assert_any_call: ['args', 'fails'],
  assert_has_calls: ['calls', 'fails'], assert_has_calls_in_any_order: ['calls', 'fails'], call_count: ['is'], journal: ['dropped'],
  invocations: ['calls'], forget: [],
};

/** What is done is refused with this reason, or, without one, is not. */
function refused(fails, doIt) {
  try {
    doIt();
  } catch (error) {
    if (!(error instanceof CmdMoxError)) throw error;
    require(fails, () => `refused with ${error.reason}: ${error.message}`);
    require(error.reason === fails.reason, () => `is to fail with ${fails.reason}, and ended with ${error.reason}: ${error.message}`);
    expect('the mistake', fails.says ?? { any: true }, told(Buffer.from(error.message)));
    return;
  }
  require(!fails, () => `is to fail with ${JSON.stringify(fails)}, and is fine`);
}

function asserted(fails, doIt) {
  try {
    doIt();
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    require(fails !== undefined, () => `the assertion fails: ${error.message}`);
    expect('the assertion', fails, told(Buffer.from(error.message)));
    return;
  }
  require(fails === undefined, 'the assertion passes');
}

function refine(stage, double, that) {
  for (const refinement of that) {
    const [[name, value]] = Object.entries(refinement);
    if (name === 'with_matching_env') {
      for (const [variable, its] of Object.entries(value)) double.withMatchingEnv(variable, matcherOf(its));
      continue;
    }
    require(Object.hasOwn(REFINEMENTS, name), `no such refinement: ${name}`);
    const [method, wordsOf] = REFINEMENTS[name];
    double[method](...wordsOf(value, stage));
  }
}

const declares = (kind) => (stage, command, { as = command, that = [], fails }) => refused(fails, () => {
  const double = stage.mox[kind](valueOf(command));
  stage.doubles.set(as, double);
  refine(stage, double, that);
});

function begin(stage, { callback_deadline_ms: callbackDeadline, max_journal_entries: maxJournalEntries, report, ...options }, { fails }) {
  if (report !== undefined) process.env.CMOX_REPORT = report;
  try {
    refused(fails, () => {
      stage.session = new CmdMox({ connect: stage.address, callbackDeadline, maxJournalEntries, ...options });
    });
  } finally {
    delete process.env.CMOX_REPORT;
  }
}

function setDefault(stage, answer, { fails }) {
  const [[kind, how]] = Object.entries(answer);
  refused(fails, () => {
    if (kind === 'returns') stage.mox.defaultReturns(answerOf(how));
    else if (kind === 'passthrough') stage.mox.defaultPassthrough(passingOf(how));
    else stage.mox.defaultFails();
  });
}

function verify(stage, result, { findings, text = '', fails }) {
  if (result === 'refused') {
    refused(fails, () => stage.mox.verify());
    return;
  }
  let [passed, found, said] = ['passes'];
  try {
    ({ findings: found, text: said } = stage.mox.verify());
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    [passed, found, said] = ['fails', error.findings, error.message];
  }
  require(passed === result, () => `verification ${result} was expected, and it ${passed}: ${said}`);
  const kinds = found.map((each) => each.kind);
  require(findings === undefined || `${kinds}` === `${findings}`, () => `findings: expected ${findings}, actual ${kinds}`);
  if (text || passed === 'passes') expect('the report', text, told(Buffer.from(said)));
}

function compare(call, field, value) {
  if (Object.hasOwn(CALL.bytes, field)) {
    const actual = CALL.bytes[field](call);
    expect(`call ${call.id}, ${field}`, value, field === 'stderr' ? told(actual) : actual);
  } else if (field === 'env') {
    for (const [name, its] of Object.entries(value)) {
      const found = call.environBytes.get(name);
      require(its === null ? found === undefined : found?.equals(bytesOf(its)), () => `variable ${name}: expected ${JSON.stringify(its)}, actual ${found}`);
    }
  } else {
    require(Object.hasOwn(CALL.others, field), `a call has no ${field}`);
    const [wanted, actual] = [Array.isArray(value) ? listOf(value) : value, CALL.others[field](call)];
    const same = Array.isArray(wanted) ? Buffer.concat(wanted).equals(Buffer.concat(actual)) && `${wanted.map((each) => each.length)}` === `${actual.map((each) => each.length)}`
      : wanted === actual;
    require(same, () => `call ${call.id}, ${field}: expected ${String(wanted).slice(0, 200)}, actual ${String(actual).slice(0, 200)}`);
  }
}

function calls(wanted, actual) {
  require(wanted.length === actual.length, () => `expected ${wanted.length} calls, actual ${actual.map((each) => each.line)}`);
  wanted.forEach((entry, index) => {
    const call = actual[index];
    for (const [field, value] of Object.entries(entry)) compare(call, field, value);
    for (const name of ['command', 'stdin', 'stdout', 'stderr', 'cwd']) {
      require(call[name] === call[`${name}Bytes`].toString('utf8'), `call ${call.id}: ${name} is not ${name}Bytes`);
    }
  });
}

const STEPS = {
  // ---- Steps that declare
  session: begin,
  mock: declares('mock'),
  stub: declares('stub'),
  spy: declares('spy'),
  refine: (stage, name, { that, fails }) => refused(fails, () => refine(stage, stage.double(name), that)),
  in_order: (stage, names, { fails }) => refused(fails, () => stage.mox.inOrder(...names.map((name) => stage.double(name)))),
  in_sequence: (stage, name, { doubles, fails }) => refused(fails, () => stage.mox.inSequence(name, ...doubles.map((each) => stage.double(each)))),
  register: (stage, command, { fails }) => refused(fails, () => stage.mox.registerCommand(bytesOf(command))),
  allow: (stage, command, { fails }) => refused(fails, () => stage.mox.allow(bytesOf(command))),
  absent: (stage, command, { fails }) => refused(fails, () => stage.mox.absent(bytesOf(command))),
  default: setDefault,

  // ---- Steps that run
  run: (stage, argv, how) => stage.commands.run(argv, how),
  shell: (stage, text, how) => stage.commands.run(['/bin/sh', '-c', text], how),
  start: (stage, argv, { as, ...how }) => { stage.commands.running.set(as, stage.commands.start(argv, how)); },
  kill: (stage, name) => { stage.commands.running.get(name).child.kill('SIGKILL'); },
  wait: async (stage, name, { expect: expected }) => stage.commands.judge(await stage.commands.running.get(name).done, expected),
  await: (stage, name, { calls: least }) => until(() => stage.double(name).callCount >= least, `${name} did not get ${least} calls`),
  release: async (stage, gate, { calls: wanted }) => {
    let gone = 0;
    await until(() => (gone += stage.mox.release(gate)) >= wanted, `${wanted} calls are to go on at ${gate}`);
    require(gone === wanted, `${wanted} calls are to go on at ${gate}, and ${gone} did`);
  },
  file: (stage, name, how) => stage.commands.file(name, how),

  // ---- Steps that judge
  replay: (stage, _, { fails }) => refused(fails, () => stage.mox.replay()),
  verify,
  assert_called: (stage, name, { fails }) => asserted(fails, () => stage.double(name).assertCalled()),
  assert_not_called: (stage, name, { fails }) => asserted(fails, () => stage.double(name).assertNotCalled()),
  assert_called_with: (stage, name, { args, fails }) => asserted(fails, () => stage.double(name).assertCalledWith(...matchersOf(args))),
  assert_any_call: (stage, name, { args, fails }) => asserted(fails, () => stage.double(name).assertAnyCall(...matchersOf(args))),
  assert_has_calls: (stage, name, { calls: lists, fails }) => asserted(fails, () => stage.double(name).assertHasCalls(lists.map(matchersOf))),
  assert_has_calls_in_any_order: (stage, name, { calls: lists, fails }) =>
    asserted(fails, () => stage.double(name).assertHasCalls(lists.map(matchersOf), { anyOrder: true })),
  call_count: (stage, name, { is }) => require(stage.double(name).callCount === is, () => `${name}: expected ${is} calls, actual ${stage.double(name).callCount}`),
  journal: (stage, wanted, { dropped }) => {
    calls(wanted, stage.mox.journal);
    require(dropped === undefined || stage.mox.dropped === dropped, () => `dropped: expected ${dropped}, actual ${stage.mox.dropped}`);
  },
  invocations: (stage, name, { calls: wanted }) => calls(wanted, stage.double(name).invocations),
  forget: (stage) => {
    try {
      stage.mox.close();
    } catch (error) {
      if (error instanceof UnverifiedError) return;
      throw error;
    }
    throw new Mismatch('a session that nobody verified ends without a word');
  },
};
