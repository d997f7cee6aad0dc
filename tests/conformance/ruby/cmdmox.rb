# A client of cmdmox in Ruby, written from docs/protocol.md. The schema is the server's: GetDescriptorSet, or a saved file.
require 'stringio'
require 'google/protobuf'
require 'google/protobuf/descriptor_pb'

module Cmdmox
  class Error < StandardError
    attr_reader :reason

    def initialize(reason, message)
      @reason = reason
      super(message)
    end
  end

  # What is needed to ask for the schema without having it: Hello and one Request, by hand.
  module Wire
    MAGIC = 0x584d4443

    def self.varint(number)
      bytes = [number & 0x7f]
      bytes.push(number & 0x7f) while (number >>= 7) > 0
      bytes[0...-1].map { |byte| byte | 0x80 }.push(bytes[-1]).pack('C*')
    end

    def self.field(number, bytes) = varint(number << 3 | 2) + varint(bytes.bytesize) + bytes.b
    def self.frame(bytes) = varint(bytes.bytesize) + bytes

    # Calls io.readbyte or the like until the prefix is complete.
    def self.length
      5.times.inject(0) do |sum, at|
        byte = yield or raise EOFError
        sum |= (byte & 0x7f) << 7 * at
        return sum if byte < 0x80
        sum
      end
      raise Error.new('BAD_FRAME', 'a length prefix of more than five bytes')
    end

    # The bytes of the one field with this number; skips varints and other fields.
    def self.dig(message, wanted)
      io = StringIO.new(message)
      until io.eof?
        tag = length { io.getbyte }
        value = length { io.getbyte }
        next unless tag & 7 == 2
        bytes = io.read(value)
        return bytes if tag >> 3 == wanted
      end
      nil
    end

    # The fields that this relies on: Frame.id 1, .hello 2, .request 4, .response 5; Request.method 1; Response.payload 1;
    # GetDescriptorSetResponse.file_descriptor_set 1. Of them the document shows only Frame.hello.
    def self.fetch_schema(program)
      hello = field(2, "\x0d".b + [MAGIC].pack('V') + "\x10\x01\x18\x01\x20\x02".b)
      request = "\x08\x01".b + field(4, field(1, 'cmdmox.v1.ControlService/GetDescriptorSet'))
      IO.popen([program, 'serve', '--stdio'], 'r+b') do |io|
        io.write(frame(hello) + frame(request))
        io.flush
        loop do
          response = dig(io.read(length { io.getbyte }), 5) or next
          return dig(dig(response, 1), 1)
        end
      end
    end
  end

  class Schema
    attr_reader :methods_by_name

    def self.of(program, file = nil) = new(file ? File.binread(file) : Wire.fetch_schema(program))

    def initialize(bytes)
      @pool = Google::Protobuf::DescriptorPool.new
      @classes = {}
      @methods_by_name = {}
      Google::Protobuf::FileDescriptorSet.decode(bytes).file.each do |file|
        @pool.add_serialized_file(Google::Protobuf::FileDescriptorProto.encode(file))
        # ruby-protobuf 3.21 cannot read a sub-message whose class was never asked for.
        file.message_type.each { |type| @classes[type.name] = @pool.lookup("#{file.package}.#{type.name}").msgclass }
        file.service.each do |service|
          service['method'].each do |method|
            types = [method.input_type, method.output_type].map { |name| name.delete_prefix(".#{file.package}.") }
            @methods_by_name["#{file.package}.#{service.name}/#{method.name}"] = types
          end
        end
      end
    end

    def [](name) = @classes.fetch(name)
  end

  # A server as a child, and the link to it over its stdin and stdout. Responses come to those who wait for them by a thread
  # that does nothing else; requests of the server are answered by a thread each, by the block of `serve`.
  class Link
    attr_reader :schema, :pid

    def initialize(program, schema)
      @schema = schema
      @lock = Mutex.new
      @waiting = {}
      @next_id = 1
      @greeting = Queue.new
      theirs_in, @out = IO.pipe(binmode: true)
      @in, theirs_out = IO.pipe(binmode: true)
      @pid = Process.spawn(program, 'serve', '--stdio', in: theirs_in, out: theirs_out)
      [theirs_in, theirs_out].each(&:close)
      send_frame(hello: schema['Hello'].new(magic: Wire::MAGIC, min_version: 1, max_version: 1, role: :ROLE_CONTROLLER, software: 'ruby'))
      @reader = Thread.new { read_frames }
      failure = @greeting.pop
      raise failure if failure
    end

    def serve(&answer) = @answer = answer

    def call(method, **fields)
      name = "cmdmox.v1.ControlService/#{method}"
      input, output = @schema.methods_by_name.fetch(name)
      payload = encode(input, fields)
      queue = Queue.new
      id = @lock.synchronize do
        raise @failure if @failure
        @next_id += 2
        @waiting[@next_id - 2] = queue
        @next_id - 2
      end
      send_frame(id: id, request: @schema['Request'].new(method: name, payload: payload))
      result = queue.pop
      raise result if result.is_a?(Exception)
      @schema[output].decode(result)
    end

    def close
      @out.close
      @reader.join
      Process.wait(@pid)
      @in.close
    end

    private

    def encode(type, fields)
      @schema[type].encode(@schema[type].new(fields))
    rescue RangeError => error # a number that the wire cannot hold
      raise Error.new('INVALID_ARGUMENT', error.message)
    end

    def send_frame(**fields)
      bytes = Wire.frame(@schema['Frame'].encode(@schema['Frame'].new(fields)))
      @lock.synchronize { @out.write(bytes) }
    rescue IOError, Errno::EPIPE
      nil # the reader sees the end of the link, and tells those who wait
    end

    def read_frames
      loop do
        length = Wire.length { @in.getbyte }
        bytes = @in.read(length)
        raise EOFError if bytes.bytesize < length
        take(@schema['Frame'].decode(bytes))
      end
    rescue EOFError, IOError
      fail_all(Error.new('LINK_CLOSED', 'the server closed the link'))
    rescue StandardError => error
      fail_all(error)
    end

    def take(frame)
      case frame.body
      when :hello_reply
        @greeting.push(frame.hello_reply.error && error_of(frame.hello_reply.error))
      when :response
        queue = @lock.synchronize { @waiting.delete(frame.id) }
        queue&.push(frame.response.error ? error_of(frame.response.error) : frame.response.payload)
      when :request
        Thread.new { answer(frame.id, frame.request) }
      when :go_away
        fail_all(error_of(frame.go_away.status))
      end
    end

    def answer(id, request)
      service, method = request['method'].split('/')
      input, output = @schema.methods_by_name[request['method']] if service == 'cmdmox.v1.CallbackService'
      result =
        if input && @answer
          { payload: encode(output, @answer.call(method, @schema[input].decode(request.payload))) }
        else
          { error: @schema['Status'].new(code: 12, reason: 'UNIMPLEMENTED', message: "no method #{request['method']}") }
        end
      send_frame(id: id, response: @schema['Response'].new(result))
    rescue StandardError => error
      status = @schema['Status'].new(code: 13, reason: 'INTERNAL', message: error.message)
      send_frame(id: id, response: @schema['Response'].new(error: status))
    end

    def error_of(status) = Error.new(status.reason, status.message)

    def fail_all(error)
      @lock.synchronize do
        @failure ||= error
        @waiting.each_value { |queue| queue.push(@failure) }
        @waiting.clear
      end
      @greeting.push(@failure)
    end
  end

  # A text is a matcher too: exactly these bytes. `value` is bytes, a matcher, a list of them, or a block.
  Matcher = Struct.new(:kind, :value, :name)

  # What is said of one double at a time: the facets of one message, with its own table of matchers.
  class Facets
    def initialize(session, said)
      @session = session
      @said = said # the answers so far: {turns: [...], lasting: action}
      @fields = { matchers: [] }
    end

    attr_reader :fields

    def args(list)
      @fields[:argv] = { items: list.map { |item| argument(item) } }
    end

    def stdin(matcher) = @fields[:stdin_match] = { node: node(matcher) }
    def cwd(matcher) = @fields[:cwd_match] = { node: node(matcher) }

    def gives_env(name, value)
      (@fields[:env_injection] ||= { changes: [], append: true })[:changes].push({ name: name.b, value: value.b })
    end

    def env(name, matcher)
      test = matcher == :unset ? { absent: true } : { node: node(matcher) }
      (@fields[:env_match] ||= { items: [], append: true })[:items].push({ name: name.b, **test })
    end

    def stdin_policy(mode, **limits) = @fields[:stdin_policy] = { mode: "STDIN_MODE_#{mode}".to_sym, **limits }
    def count(minimum, maximum) = @fields[:count] = { minimum: minimum, maximum: maximum }.compact

    def after(double)
      (@fields[:after] ||= { double_ids: [], append: true })[:double_ids].push(double.id)
    end

    def in_sequence(name, position) = @fields[:sequences] = { steps: [{ sequence: name, position: position }], append: true }

    def in_any_order
      @fields[:sequences] = { steps: [] }
      @fields[:after] = { double_ids: [] }
    end

    # An answer for so many calls; without a number one that lasts.
    def answers(action, times = nil)
      times ? @said[:turns].push({ repeat: times, **action }) : @said[:lasting] = action
      @fields[:actions] = { items: [*@said[:turns], @said[:lasting]].compact }
    end

    private

    def add(**test) = @fields[:matchers].push(test).size - 1
    def nodes(list) = { indexes: list.map { |matcher| node(matcher) } }

    def node(matcher)
      return add(equals: matcher.b) if matcher.is_a?(String)
      value = matcher.value
      case matcher.kind
      when :any then add(any: true)
      when :is_a then add(is_a: "VALUE_TYPE_#{value.upcase}".to_sym)
      when :all_of, :any_of then add(matcher.kind => nodes(value))
      when :not then add(not: node(value))
      when :predicate then add(callback: @session.callback(value), callback_name: matcher.name)
      else add(matcher.kind => value.b)
      end
    end

    def argument(item)
      case item.is_a?(Matcher) && item.kind
      when :rest then { rest: node(item.value) }
      when :any_order then { any_order: nodes(item.value) }
      when :args_contain then { contains: nodes(item.value) }
      when :flag then { flag: { name: item.name.b, value: node(item.value) } }
      else { one: node(item) }
      end
    end
  end

  Double = Struct.new(:id, :said)
  Call = Struct.new(:args, :stdin, :env)

  class Session
    attr_reader :environment

    def initialize(link, **options)
      @link = link
      @callbacks = {}
      @sequences = Hash.new(0)
      link.serve { |method, request| method == 'Handle' ? handle(request) : match(request) }
      made = link.call('CreateSession', **options)
      @id = made.session_id
      @environment = variables(made.env_block)
    end

    def call(method, **fields) = @link.call(method, session_id: @id, **fields)

    def double(kind, command, place, &block)
      said = { turns: [], lasting: nil }
      fields = { command: command.b, kind: "DOUBLE_KIND_#{kind.upcase}".to_sym, location: place, **facets(said, &block) }
      Double.new(call('CreateDoubles', doubles: [fields]).double_ids.first, said)
    end

    def refine(double, &block) = call('UpdateDouble', double_id: double.id, patch: facets(double.said, &block))

    def facets(said = { turns: [] })
      facets = Facets.new(self, said)
      yield facets
      facets.fields
    end

    def sequence(name, doubles)
      doubles.each { |double| refine(double) { |facets| facets.in_sequence(name, @sequences[name] += 1) } }
    end

    def absent(command) = @environment = variables(call('MakeAbsent', commands: [command.b]).env_block)
    def count(double) = call('GetCallCount', double_id: double.id).count

    # All invocations, and how many the journal did not keep.
    def invocations(double = nil)
      found = []
      token = ''.b
      loop do
        page = call('ListInvocations', double_id: double ? double.id : 0, page_token: token)
        found.concat(page.invocations.to_a)
        return [found, page.dropped] if (token = page.next_page_token).empty?
      end
    end

    # Keeps a block that the server may ask for, and returns its number.
    def callback(block)
      @callbacks[@callbacks.size + 1] = block
      @callbacks.size
    end

    def variables(entries) = entries.to_h { |entry| entry.split('=', 2) }

    private

    def handle(request)
      invocation = request.invocation
      call = Call.new(invocation.argv.to_a.drop(1), invocation.stdin_capture&.data.to_s, request.env_block.to_a)
      { reply: @callbacks.fetch(request.handler).call(call) }
    rescue StandardError => error
      { failure: error.message }
    end

    def match(request)
      { matched: @callbacks.fetch(request.callback).call(request.value) }
    rescue StandardError => error
      { failure: error.message }
    end
  end
end
