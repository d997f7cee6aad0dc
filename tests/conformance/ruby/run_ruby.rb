# Runs the conformance scenarios of cmdmox: run_ruby.rb [--smoke] [--broken] FOLDER [NAME...]
#                                         run_ruby.rb fetch-schema FILE
require 'json'
require 'tmpdir'
require 'fileutils'
require 'fiddle'
require_relative 'cmdmox'

PROVIDED = %w[handlers predicates failing-predicates refine recording mistakes gates passthrough contained absent assertions
              drain_stdin journal-bound raw reports forget live findings journal reasons].freeze
LACKED = {}.freeze # need => why
DIALECT = 'python'
PLACE = / \([^() ]*:[0-9]+\)/n
HANG_GUARD = Integer(ENV['CMDMOX_HANG_GUARD'] || 30) # seconds
PROGRAM = File.expand_path(ENV['CMDMOX_PROGRAM'] || 'bin/cmdmox', ENV['CMDMOX_PROGRAM'] ? Dir.pwd : __dir__)

class Failed < StandardError; end  # the scenario saw something else than expected
class Mistake < StandardError; end # the scenario says something that the format does not have

def only(hash, *keys)
  raise Mistake, "not an object: #{hash.inspect}" unless hash.is_a?(Hash)
  unknown = hash.keys - keys
  raise Mistake, "unknown key #{unknown.join(', ')}" unless unknown.empty?
  hash
end

module Values
  MATCHERS = %w[any starts_with ends_with contains regex glob json_equals is_a one_of all_of any_of not predicate].freeze

  def bytes(value)
    return value.b if value.is_a?(String)
    return only(value, 'base64')['base64'].unpack1('m0') if value.is_a?(Hash) && value.key?('base64')
    only(value, 'repeat', 'times')
    bytes(value.fetch('repeat')) * value.fetch('times')
  end

  def bytes?(value) = value.is_a?(String) || value.key?('base64') || value.key?('repeat')

  def byte_list(list)
    list.flat_map do |item|
      next [bytes(item)] unless item.is_a?(Hash) && item.key?('copies')
      [bytes(only(item, 'copies', 'of')['of'])] * item['copies']
    end
  end

  # A line or a part of what is expected: bytes, or one text for each dialect.
  def part(value)
    return bytes(value) unless value.is_a?(Hash) && value.key?(DIALECT)
    only(value, 'c', 'python', 'javascript', 'go', 'shell')[DIALECT].b
  end

  def check(what, want, got, cmdmox: false)
    got = got.b
    got = got.gsub(PLACE, '') if cmdmox
    fine =
      if want.is_a?(Array)
        got == want.map { |line| part(line) + "\n" }.join
      elsif want.is_a?(Hash) && !bytes?(want)
        only(want, 'contains', 'lacks', 'any')
        want.fetch('contains', []).all? { |text| got.include?(part(text)) } && want.fetch('lacks', []).none? { |text| got.include?(part(text)) }
      else
        got == bytes(want)
      end
    same(what, fine, true) { "expected #{show(want)}, got #{show(got)}" }
  end

  def same(what, got, want)
    return if got == want
    raise Failed, "#{what}: #{block_given? ? yield : "expected #{show(want)}, got #{show(got)}"}"
  end

  def show(value) = value.inspect.then { |text| text.size > 700 ? "#{text[0, 700]}..." : text }

  def matcher(value)
    return bytes(value) if bytes?(value)
    raise Mistake, "a matcher with #{value.size} keys" unless value.size == 1
    kind, inner = value.first
    case kind
    when 'any' then Cmdmox::Matcher.new(:any)
    when 'is_a' then Cmdmox::Matcher.new(:is_a, inner)
    when 'one_of' then Cmdmox::Matcher.new(:any_of, byte_list(inner))
    when 'all_of', 'any_of' then Cmdmox::Matcher.new(kind.to_sym, inner.map { |one| matcher(one) })
    when 'not' then Cmdmox::Matcher.new(:not, matcher(inner))
    when 'predicate' then Cmdmox::Matcher.new(:predicate, predicate(inner), inner)
    when *MATCHERS then Cmdmox::Matcher.new(kind.to_sym, bytes(inner))
    else raise Mistake, "unknown matcher #{kind}"
    end
  end

  def argument(value)
    kind, inner = value.first if value.is_a?(Hash) && value.size == 1
    case kind
    when 'rest' then Cmdmox::Matcher.new(:rest, matcher(inner))
    when 'any_order', 'args_contain' then Cmdmox::Matcher.new(kind.to_sym, inner.map { |one| matcher(one) })
    when 'flag' then Cmdmox::Matcher.new(:flag, matcher(only(inner, 'name', 'value')['value']), bytes(inner['name']))
    else matcher(value)
    end
  end

  def reply(said, *more)
    only(said, 'stdout', 'stderr', 'exit_code', 'signal', 'delay_ms', 'hang', 'gate', 'chunks', 'files', *more)
    reply = { stdout_data: bytes(said['stdout'] || ''), stderr_data: bytes(said['stderr'] || ''),
              exit_code: said['exit_code'], signal: said['signal'], hang: said['hang'], delay_ms: said['delay_ms'] }.compact
    chunks = said['chunks']&.map do |chunk|
      only(chunk, 'stdout', 'stderr', 'after_ms')
      { to_stderr: chunk.key?('stderr'), data: bytes(chunk['stderr'] || chunk['stdout']), delay_ms: chunk['after_ms'] || 0 }
    end
    files = said['files']&.map do |file|
      only(file, 'path', 'content', 'mode')
      { path: bytes(file['path']), content: bytes(file['content'] || ''), mode: file['mode']&.to_i(8) }.compact
    end
    { reply: reply, gate: said['gate'], chunks: chunks, files: files }.compact
  end

  def passthrough(said, *more)
    only(said, 'timeout_ms', 'kill_after_ms', 'capture_max_bytes', 'captured', 'gate', 'program', *more)
    captured = said.fetch('captured', true)
    { passthrough: { timeout_ms: said['timeout_ms'], kill_after_ms: said['kill_after_ms'], capture_max_bytes: said['capture_max_bytes'],
                     capture_stdout: captured, capture_stderr: captured,
                     program: said['program'] && File.join(@folder, 'programs', said['program']) }.compact, gate: said['gate'] }.compact
  end
end

module Functions
  def handler(words)
    name, *rest = words
    function =
      case name
      when 'echo-args' then ->(call) { { stdout_data: call.args.map { |arg| arg + "\n" }.join } }
      when 'echo-stdin' then ->(call) { { stdout_data: call.stdin } }
      when 'echo-env' then ->(call) { { stdout_data: @session.variables(call.env).fetch(rest[0].b, '(not set)').b } }
      when 'answer' then ->(_) { { stdout_data: bytes(rest[0]), stderr_data: bytes(rest[1]), exit_code: Integer(rest[2]) } }
      when 'run' then ->(_) { { stdout_data: File.binread(finish(start(byte_list(rest), {})).last.out) } }
      when 'fail' then ->(_) { raise rest[0] }
      when 'hang' then ->(_) { @over.pop || {} }
      when 'nonsense' then ->(_) { { exit_code: 256 } }
      else raise Mistake, "unknown handler #{name}"
      end
    { handler: @session.callback(function), handler_name: name }
  end

  def predicate(name)
    case name
    when 'is-even' then ->(value) { value.match?(/[02468]\z/n) }
    when 'has-an-ff' then ->(value) { value.include?("\xff".b) }
    when 'hangs' then ->(_) { @over.pop || true }
    when 'raises' then ->(_) { raise 'this predicate raises' }
    else raise Mistake, "unknown predicate #{name}"
    end
  end
end

# Processes of a scenario: each in a group of its own, with files as its streams.
module Processes
  Started = Struct.new(:pid, :out, :err)

  def start(argv, step)
    environment = ENV.to_h.transform_values(&:b).merge(@session.environment)
    (step['env'] || {}).each { |name, value| value.nil? ? environment.delete(name) : environment[name] = bytes(value) }
    program = argv[0].include?('/') ? argv[0] : environment['PATH'].split(':').map { |folder| File.join(folder, argv[0]) }.find { |path| File.executable?(path) }
    raise Failed, "#{argv[0]} is not on the PATH" unless program
    number = @lock.synchronize { @streams += 1 }
    input, out, err = %w[in out err].map { |name| File.join(@folder, "#{number}.#{name}") }
    File.binwrite(input, bytes(step['stdin'])) if step.key?('stdin')
    options = { in: step.key?('stdin') ? input : File::NULL, out: [out, 'w'], err: [err, 'w'], chdir: step['cwd'] || @work, pgroup: true }
    pid =
      if step.key?('argv0') || step.key?('env_entries')
        words = step.key?('argv0') ? [step['argv0'] && bytes(step['argv0']), *argv.drop(1)].compact : argv
        fork { execve(program, words, step['env_entries'] ? byte_list(step['env_entries']) : environment.map { |pair| pair.join('=') }, options) }
      else
        Process.spawn(environment, [program, argv[0]], *argv.drop(1), unsetenv_others: true, **options)
      end
    @lock.synchronize { @running.push(pid) }
    Started.new(pid, out, err)
  end

  def execve(program, argv, environment, options)
    $stdin.reopen(options[:in])
    $stdout.reopen(*options[:out])
    $stderr.reopen(*options[:err])
    Dir.chdir(options[:chdir])
    Process.setpgrp
    kept = []
    vector = ->(list) { (kept.push(*list.map { |text| text + "\0" }).last(list.size).map { |text| Fiddle::Pointer[text].to_i } + [0]).pack('J*') }
    Fiddle::Function.new(Fiddle.dlopen(nil)['execve'], [Fiddle::TYPE_VOIDP] * 3, Fiddle::TYPE_INT).call(program, vector[argv], vector[environment])
  ensure
    exit!(126)
  end

  def finish(started)
    _, status = Process.wait2(started.pid)
    @lock.synchronize { @running.delete(started.pid) }
    [status, started]
  end

  def judge(status, started, expect)
    only(expect, 'status', 'signal', 'stdout', 'stderr')
    got = status.signaled? ? "SIG#{Signal.signame(status.termsig)}" : status.exitstatus
    stderr = File.binread(started.err)
    same('status', got, expect['signal'] || expect['status'] || 0) { "expected #{expect['signal'] || expect['status'] || 0}, got #{got}; stderr #{show(stderr)}" }
    check('stdout', expect['stdout'] || '', File.binread(started.out))
    check('stderr', expect['stderr'] || '', stderr, cmdmox: true)
  end

  def kill_all
    @lock.synchronize { @running.dup }.each do |pid|
      Process.kill(:KILL, -pid)
      Process.wait(pid)
    rescue SystemCallError
      nil
    end
  end
end

class Scenario
  include Values
  include Functions
  include Processes

  RUN = %w[stdin env cwd expect].freeze
  STEPS = {
    'session' => %w[fails], 'mock' => %w[as that fails], 'stub' => %w[as that fails], 'spy' => %w[as that fails], 'refine' => %w[that fails],
    'in_order' => %w[fails], 'in_sequence' => %w[doubles fails], 'register' => %w[fails], 'allow' => %w[fails], 'absent' => %w[fails],
    'default' => %w[fails], 'run' => [*RUN, 'argv0', 'env_entries', 'at_once', 'statuses'], 'shell' => RUN, 'start' => %w[as stdin env cwd],
    'wait' => %w[expect], 'kill' => [], 'await' => %w[calls], 'release' => %w[calls], 'file' => %w[content mode], 'replay' => %w[fails],
    'verify' => %w[findings text fails], 'assert_called' => %w[fails], 'assert_not_called' => %w[fails], 'assert_called_with' => %w[args fails],
    'assert_any_call' => %w[args fails], 'assert_has_calls' => %w[calls fails], 'assert_has_calls_in_any_order' => %w[calls fails],
    'call_count' => %w[is], 'journal' => %w[dropped], 'invocations' => %w[calls], 'forget' => []
  }.freeze

  def initialize(spec, schema)
    @spec = spec
    @schema = schema
    @lock = Mutex.new
    @over = Queue.new
    @running = []
    @started = {}
    @doubles = {}
    @streams = 0
  end

  # Nil, or what was seen.
  def run
    Dir.mktmpdir('cmdmox-ruby-') do |folder|
      @folder = folder
      @at = 'begin'
      thread = Thread.new { steps }
      thread.report_on_exception = false
      thread.join(HANG_GUARD) or raise Failed, "hangs after #{HANG_GUARD} s"
      nil
    rescue StandardError => error
      own = [Failed, Mistake, Cmdmox::Error].include?(error.class)
      "#{'internal: ' unless own}step #{@at}: #{own ? '' : "#{error.class}: "}#{error.message}#{" [#{error.reason}]" if error.is_a?(Cmdmox::Error)}#{" at #{error.backtrace.first}" unless own}"
    ensure
      thread&.kill
      clean_up
    end
  end

  private

  def clean_up
    @over.close
    kill_all
    return unless @link
    closer = Thread.new { @link.close }
    return if closer.join(HANG_GUARD)
    Process.kill(:KILL, @link.pid)
    closer.join
  end

  def steps
    only(@spec, 'name', 'smoke', 'needs', 'about', 'programs', 'steps')
    @work = File.join(@folder, 'work').tap { |path| Dir.mkdir(path) }
    path = [ENV['PATH']]
    if @spec['programs']
      path.unshift(File.join(@folder, 'programs').tap { |programs| Dir.mkdir(programs) })
      @spec['programs'].each { |name, text| File.open(File.join(path[0], name), 'wb', 0o755) { |file| file.write(text) } }
    end
    @link = Cmdmox::Link.new(PROGRAM, @schema)
    @options = { path: path.join(':').b, dialect: DIALECT }
    @spec['steps'].each_with_index do |step, index|
      names = step.keys & STEPS.keys
      raise Mistake, "no step, or two: #{step.keys.join(', ')}" unless names.size == 1
      @at = "#{index + 1} (#{names[0]})"
      @place = { file: "#{@spec['name']}.json", line: index + 1 }
      only(step, names[0], *STEPS[names[0]])
      @session ||= Cmdmox::Session.new(@link, **@options) unless names[0] == 'session'
      perform(names[0], step[names[0]], step)
    end
    @at = 'end'
    @session&.call('DeleteSession') unless @forgotten
  end

  def perform(name, value, step)
    case name
    when 'session' then refusable(step) { session(value) }
    when 'mock', 'stub', 'spy' then refusable(step) { double(name, value, step) }
    when 'refine' then refusable(step) { @session.refine(named(value)) { |facets| say(facets, step['that']) } }
    when 'in_order' then refusable(step) { @session.sequence("order #{@place[:line]}", value.map { |one| named(one) }) }
    when 'in_sequence' then refusable(step) { @session.sequence(value, step['doubles'].map { |one| named(one) }) }
    when 'register' then refusable(step) { @session.call('RegisterCommands', commands: [value.b]) }
    when 'allow' then refusable(step) { @session.call('AllowCommands', commands: [value.b]) }
    when 'absent' then refusable(step) { @session.absent(value) }
    when 'default' then refusable(step) { @session.call('SetDefaultAction', **default(value)) }
    when 'replay' then refusable(step) { @session.call('Replay') }
    when 'run' then run_command(byte_list(value), step)
    when 'shell' then judge(*finish(start(['/bin/sh', '-c', bytes(value)], step)), step['expect'] || {})
    when 'start' then @started[step.fetch('as')] = start(byte_list(value), step)
    when 'wait' then judge(*finish(@started.fetch(value)), step['expect'] || {})
    when 'kill' then Process.kill(:KILL, @started.fetch(value).pid)
    when 'await' then Thread.pass until @session.count(named(value)) >= step['calls'] # each question is a round trip
    when 'release' then release(value, step['calls'])
    when 'file' then file(File.join(@work, value), step)
    when 'verify' then refusable(step) { verify(value, step) }
    when /\Aassert_/ then assert(name, named(value), step)
    when 'call_count' then same('calls', @session.count(named(value)), step['is'])
    when 'journal' then journal(value, *@session.invocations, step['dropped'])
    when 'invocations' then journal(step['calls'], @session.invocations(named(value))[0])
    when 'forget' then forget
    end
  end

  # Runs the block, which is to be refused where the step says so.
  def refusable(step)
    begin
      yield
    rescue Cmdmox::Error => error
      wanted = only(step['fails'] || raise, 'reason', 'says')
      same('reason', error.reason, wanted['reason']) if wanted['reason']
      check('message', wanted['says'], error.message, cmdmox: true) if wanted['says']
      return
    end
    raise Failed, "was to be refused: #{step['fails']}" if step['fails']
  end

  def session(options)
    only(options, 'contained', 'label', 'max_journal_entries', 'callback_deadline_ms', 'report')
    @format = "REPORT_FORMAT_#{options['report'].upcase}".to_sym if options['report']
    @options.update(options.reject { |name, _| name == 'report' }.transform_keys(&:to_sym))
    @session = Cmdmox::Session.new(@link, **@options)
  end

  def named(name) = @doubles.fetch(name) { raise Mistake, "no double is named #{name}" }

  def double(kind, command, step)
    @doubles[step['as'] || command] = @session.double(kind, command, @place) { |facets| say(facets, step['that'] || []) }
  end

  def default(value)
    only(value, 'returns', 'passthrough', 'fails')
    return {} if value.key?('fails')
    { action: value.key?('returns') ? reply(value['returns']) : passthrough(value['passthrough']) }
  end

  def say(facets, refinements)
    refinements.each do |refinement|
      kind, value = refinement.first
      only(refinement, *(kind =~ /\A(returns|passthrough)_times\z/ ? [kind, 'times'] : [kind])) # either place of `times`
      case kind
      when 'with_args' then facets.args(byte_list(value))
      when 'with_matching_args' then facets.args(value.map { |one| argument(one) })
      when 'with_stdin' then facets.stdin(matcher(value))
      when 'with_cwd' then facets.cwd(matcher(value))
      when 'with_env' then value.each { |name, text| facets.gives_env(name, bytes(text)) }
      when 'with_matching_env' then value.each { |name, one| facets.env(name, one == { 'unset' => true } ? :unset : matcher(one)) }
      when 'capture_stdin' then facets.stdin_policy('CAPTURE', **only(value, 'max_bytes', 'deadline_ms').transform_keys(&:to_sym))
      when 'drain_stdin' then facets.stdin_policy('DRAIN')
      when 'times' then facets.count(value, value)
      when 'at_least' then facets.count(value, nil)
      when 'at_most' then facets.count(0, value)
      when 'between' then facets.count(*value)
      when 'never' then facets.count(0, 0)
      when 'any_times' then facets.count(0, nil)
      when 'after' then facets.after(named(value))
      when 'any_order' then facets.in_any_order
      when 'returns' then facets.answers(reply(value))
      when 'returns_once' then facets.answers(reply(value), 1)
      when 'returns_times' then facets.answers(reply(value, 'times'), value['times'] || refinement.fetch('times'))
      when 'passthrough' then facets.answers(passthrough(value))
      when 'passthrough_once' then facets.answers(passthrough(value), 1)
      when 'passthrough_times' then facets.answers(passthrough(value, 'times'), value['times'] || refinement.fetch('times'))
      when 'runs' then facets.answers(handler(value))
      when 'runs_once' then facets.answers(handler(value), 1)
      when 'runs_times' then facets.answers(handler(only(value, 'times', 'handler')['handler']), value['times'])
      else raise Mistake, "unknown refinement #{kind}"
      end
    end
  end

  def run_command(argv, step)
    return judge(*finish(start(argv, step)), step['expect'] || {}) unless step['at_once']
    statuses = Array.new(step['at_once']) { start(argv, step) }.map { |one| finish(one)[0].exitstatus.to_s }
    same('statuses', statuses.tally, step['statuses'])
  end

  def release(gate, calls)
    released = 0
    loop do
      released += @session.call('ReleaseCalls', gate: gate).released
      break if released >= calls
    end
    same('released', released, calls)
  end

  def file(path, step)
    raise Failed, "#{path} was not made" unless File.file?(path)
    check('content', step['content'], File.binread(path)) if step.key?('content')
    same('mode', format('%04o', File.stat(path).mode & 0o7777), step['mode']) if step.key?('mode')
  end

  def verify(wanted, step)
    raise Mistake, "verify #{wanted}" unless %w[passes fails refused].include?(wanted)
    raise Mistake, "verify #{wanted} with fails" if step.key?('fails') != (wanted == 'refused')
    verdict = @session.call('Verify', **{ format: @format }.compact)
    return if wanted == 'refused' # then the caller says that it was not
    same('verify', verdict.passed ? 'passes' : 'fails', wanted) { "#{wanted} was expected; the report: #{show(verdict.text)}" }
    same('findings', verdict.findings.map { |one| one.kind.to_s.delete_prefix('FINDING_KIND_') }, step['findings']) if step['findings']
    check('report', step['text'] || '', verdict.text, cmdmox: true) if step['text'] || wanted == 'passes'
  end

  def assert(name, double, step)
    lists = step['args'] ? [step['args']] : step['calls'] || []
    patterns = lists.map { |list| @session.facets { |facets| facets.args(list.map { |one| argument(one) }) } }
    kind = "CALL_ASSERTION_#{name.delete_prefix('assert_').upcase}".to_sym
    result = @session.call('AssertCalls', double_id: double.id, assertion: kind, patterns: patterns)
    same('assertion', result.passed, !step.key?('fails')) { result.passed ? 'passes' : show(result.text) }
    check('assertion', step['fails'], result.text, cmdmox: true) if step.key?('fails')
  end

  JOURNAL = %w[command args argc stdin stdin_truncated stdout stdout_length stderr exit_code signal verdict state cwd env env_entries
               timed_out passthrough_failure].freeze

  def journal(wanted, calls, dropped = nil, wanted_dropped = nil)
    same('dropped', dropped, wanted_dropped) if wanted_dropped
    same('length of the journal', calls.size, wanted.size)
    wanted.zip(calls).each.with_index(1) do |(want, call), number|
      only(want, *JOURNAL).each { |key, value| journal_entry("call #{number}: #{key}", key, value, call) }
    end
  end

  def journal_entry(what, key, value, call)
    case key
    when 'command', 'cwd' then check(what, value, call[key])
    when 'args' then same(what, call.argv.to_a.drop(1), byte_list(value))
    when 'argc' then same(what, call.argv.size, value)
    when 'stdin', 'stdout', 'stderr' then check(what, value, call["#{key}_capture"]&.data.to_s)
    when 'stdin_truncated' then same(what, !!call.stdin_capture&.truncated, value)
    when 'stdout_length' then same(what, call.stdout_capture&.length, value)
    when 'exit_code', 'signal' then same(what, call.end == key.to_sym ? call[key] : nil, value)
    when 'verdict', 'state' then same(what, call[key].to_s.sub(/\ACALL_(VERDICT|STATE)_/, '').downcase, value)
    when 'env_entries' then same(what, call.env_block.to_a, byte_list(value))
    when 'env' then value.each { |name, one| same("#{what} #{name}", variables_of(call)[name.b], one && bytes(one)) }
    when 'timed_out' then same(what, call.timed_out, value)
    when 'passthrough_failure' then check(what, value, call.passthrough_failure)
    end
  end

  # The environment as the call had it: its own, and what the double gave it.
  def variables_of(call)
    call.injected.each_with_object(@session.variables(call.env_block)) do |change, all|
      change.change ? all[change.name] = change.value : all.delete(change.name)
    end
  end

  def forget
    @forgotten = true
    same('unverified', @session.call('DeleteSession').unverified, true)
  end
end

def main(arguments)
  options, (folder, *names) = arguments.partition { |word| word.start_with?('--') }
  abort "usage: #{$PROGRAM_NAME} [--smoke] [--broken] FOLDER [NAME...]" if folder.nil? || !(options - %w[--smoke --broken]).empty?
  return File.binwrite(names.fetch(0), Cmdmox::Wire.fetch_schema(PROGRAM)) && 0 if folder == 'fetch-schema'

  $stdout.sync = true
  schema = Cmdmox::Schema.of(PROGRAM, ENV['CMDMOX_SCHEMA'])
  counts = Hash.new(0)
  Dir[File.join(folder, '*.json')].sort.each do |file|
    JSON.parse(File.read(file, encoding: 'UTF-8')).each do |spec|
      name = "#{File.basename(file, '.json')}/#{spec['name']}"
      next unless names.empty? || names.any? { |one| name.start_with?(one) }
      next if options.include?('--smoke') && !spec['smoke']
      needs = spec['needs'] || []
      unknown = needs - PROVIDED - LACKED.keys
      abort "#{name}: unknown need #{unknown.join(', ')}" unless unknown.empty?
      why = needs.filter_map { |need| LACKED[need] }.first
      seen = Scenario.new(spec, schema).run unless why
      fine = options.include?('--broken') ? seen && !seen.start_with?('internal') : !seen # a mistake of the runner proves nothing
      result = why ? 'skip' : fine ? 'ok' : 'not ok'
      counts[result] += 1
      puts [result, "#{name}#{": #{why || seen || 'passes'}" if why || seen || result == 'not ok'}"].join(' ')
    end
  end
  puts "#{counts['ok']} ok, #{counts['not ok']} not ok, #{counts['skip']} skipped"
  counts['not ok'].zero? ? 0 : 1
end

exit main(ARGV) if $PROGRAM_NAME == __FILE__
