# frozen_string_literal: true

# Runs a Ruby handler: calls arrive as frames on descriptor 3, results leave the same way.
#
# One source for Ruby 2.7 and later, standard library only. The frames are described in
# runtimes/framing.py; the behaviour is that of AWS's own client, down to the names of its errors.

require 'json'
require 'stringio'

# What belongs to the platform and not to the function.
module Alonzo
  READY = 16
  RESPONSE = 17
  ERROR = 18
  INIT_ERROR = 19
  INVOKE = 1
  CONFIG = 2

  # The levels of a function's log settings, as a Logger counts them.
  LEVELS = { 'TRACE' => 0, 'DEBUG' => 0, 'INFO' => 1, 'WARN' => 2, 'ERROR' => 3, 'FATAL' => 4 }.freeze

  # AWS reports no more frames of a stack than these.
  FRAMES_MAX = 100
  # How AWS's client ends after an error that it deems critical.
  CRITICAL_STATUS = 255

  # The frames, over an inherited socket.
  class Channel
    def initialize(descriptor)
      @reader = IO.for_fd(descriptor, 'rb', autoclose: false)
      @writer = IO.for_fd(descriptor, 'wb', autoclose: false)
      @reader.close_on_exec = true
      @writer.sync = true
    end

    # The next frame: its kind, its header, and its body in UTF-8. nil: the daemon has gone.
    def receive
      prefix = @reader.read(7)
      return nil if prefix.nil? || prefix.bytesize < 7

      length, kind, header_bytes = prefix.unpack('NCn')
      rest = @reader.read(length - 3) || ''
      return nil if rest.bytesize < length - 3

      header = rest.byteslice(0, header_bytes).force_encoding(Encoding::UTF_8)
      body = rest.byteslice(header_bytes, rest.bytesize).force_encoding(Encoding::UTF_8)
      [kind, header.empty? ? {} : JSON.parse(header), body]
    end

    def send_frame(kind, header, body = '')
      head = header ? JSON.generate(header).b : ''.b
      @writer.write([3 + head.bytesize + body.bytesize, kind, head.bytesize].pack('NCn'), head, body.b)
    end
  end

  # Log events to the descriptor that the daemon gave, each whole, with its time.
  class FramedLog
    TEXT = 0xA55A0003
    JSON = 0xA55A0002

    def initialize(descriptor, kind)
      @kind = kind
      @file = IO.for_fd(descriptor, 'wb', autoclose: false)
      @file.close_on_exec = true
      @file.sync = true
    end

    def write(text)
      data = Alonzo.utf8(text).b
      time_us = Process.clock_gettime(Process::CLOCK_REALTIME, :microsecond)
      @file.write([@kind, data.bytesize, time_us].pack('NNQ>') + data)
    end

    # What `Logger` wants of a device.
    def close; end
  end

  # Log events to standard output.
  class PlainLog
    def write(text)
      $stdout.write(text.end_with?("\n") ? text : "#{text}\n")
    end

    def close; end
  end

  class << self
    # What a function writes becomes one log event, as long as it goes through `puts` or a Logger,
    # whose events are objects if the function wants its logs so: `records` takes these.
    attr_reader :log, :records, :formatter, :lowest

    def open_log
      descriptor = ENV.delete('_LAMBDA_TELEMETRY_LOG_FD')
      json = ENV['AWS_LAMBDA_LOG_FORMAT'] == 'JSON'
      @log = descriptor ? FramedLog.new(Integer(descriptor), FramedLog::TEXT) : PlainLog.new
      @records = descriptor && json ? FramedLog.new(Integer(descriptor), FramedLog::JSON) : @log
      @formatter = json ? LoggerToUs::RecordFormatter : LoggerToUs::LineFormatter
      @lowest = LEVELS[ENV['AWS_LAMBDA_LOG_LEVEL']] if json
      return unless descriptor

      Kernel.module_eval do
        def puts(*values)
          texts = values.flatten.map { |value| Alonzo.utf8(value.to_s) }
          Alonzo.log.write(texts.join("\n"))
          nil
        end
      end
    end

    # Text as UTF-8, whatever it was before.
    def utf8(text)
      if text.encoding == Encoding::BINARY
        text.dup.force_encoding(Encoding::UTF_8).scrub
      else
        text.encode(Encoding::UTF_8, invalid: :replace, undef: :replace).scrub
      end
    end

    # The loggers of the standard library that write to the standard streams write to ours.
    def patch_logger
      require 'logger'
      Logger.prepend(LoggerToUs)
    rescue LoadError
      nil # Ruby 4 has moved it into a gem, which may have been taken away.
    end
  end

  # The process's loggers, with the request id in each line as AWS's have it.
  module LoggerToUs
    def initialize(device = nil, *arguments, **options)
      ours = device.nil? || device.equal?($stdout) || device.equal?($stderr)
      options = { level: Alonzo.lowest, **options } if ours && Alonzo.lowest
      super(ours ? Alonzo.records : device, *arguments, **options)
      @default_formatter = Alonzo.formatter.new if ours
    end

    # One event of a logger as a JSON object.
    #
    # Source: Lambda developer guide, advanced logging controls with Ruby; AWS's own client.
    class RecordFormatter
      def call(severity, time, program, message)
        record = {
          timestamp: time.getutc.strftime('%Y-%m-%dT%H:%M:%S.%6NZ'),
          level: severity,
          message: Alonzo.utf8(text_of(message)),
          requestId: Alonzo::Current.request_id
        }
        record[:logger] = Alonzo.utf8(program.to_s) unless program.to_s.empty?
        record.update(fault_of(message)) if message.is_a?(Exception)
        "#{JSON.generate(record.compact)}\n"
      end

      def text_of(message)
        case message
        when String then message
        when Exception then Alonzo.message_of(message)
        else message.inspect
        end
      end

      def fault_of(error)
        frame = (error.backtrace_locations || []).first
        {
          errorType: error.class.to_s,
          errorMessage: Alonzo.message_of(error),
          stackTrace: (error.backtrace || []).map { |line| Alonzo.utf8(line) },
          location: frame && Alonzo.utf8("#{frame.path}:#{frame.label}:#{frame.lineno}")
        }
      end
    end

    # One line of a logger.
    class LineFormatter
      def call(severity, time, program, message)
        text = case message
               when String then message
               when Exception then [shown(message), *message.backtrace].join("\n")
               else message.inspect
               end
        stamp = time.strftime('%Y-%m-%dT%H:%M:%S.%6N')
        format("%s, [%s #%d] %5s %s -- %s: %s\n",
               severity[0], stamp, Process.pid, severity, Alonzo::Current.request_id, program, text)
      end

      def shown(error)
        "#{error.message} (#{error.class})"
      end
    end
  end

  # Whom the process works for now; the log lines show it.
  module Current
    class << self
      attr_accessor :request_id
    end
  end
end

# The second argument of a handler. Source: Lambda developer guide, Ruby context object.
class LambdaContext
  attr_reader :aws_request_id, :invoked_function_arn, :log_group_name, :log_stream_name,
              :function_name, :memory_limit_in_mb, :function_version, :identity, :client_context,
              :deadline_ms, :tenant_id

  def initialize(header)
    @aws_request_id = header['id']
    @invoked_function_arn = header['arn']
    @deadline_ms = header['deadline_ms']
    @tenant_id = header['tenant']
    @log_group_name = ENV['AWS_LAMBDA_LOG_GROUP_NAME']
    @log_stream_name = ENV['AWS_LAMBDA_LOG_STREAM_NAME']
    @function_name = ENV['AWS_LAMBDA_FUNCTION_NAME']
    @memory_limit_in_mb = ENV['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']
    @function_version = ENV['AWS_LAMBDA_FUNCTION_VERSION']
    @identity = JSON.parse(header['cognito']) if header['cognito']
    @client_context = JSON.parse(header['client_context']) if header['client_context']
  end

  # Milliseconds until the function's timeout; 0 once it is past.
  def get_remaining_time_in_millis
    [@deadline_ms - Process.clock_gettime(Process::CLOCK_REALTIME, :millisecond), 0].max
  end
end

module Alonzo
  # The function: finds the handler and calls it.
  class Handler
    FORMS = 'must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD where FILENAME corresponds ' \
            'with an existing Ruby source file FILENAME.rb, CLASS is an optional module/class ' \
            'namespace and METHOD is a callable method. If using CLASS, METHOD must be a ' \
            'class-level method.'

    def initialize(name)
      parts = name.split('.')
      raise ArgumentError, "Invalid handler #{parts}, #{FORMS}" unless [2, 3].include?(parts.size)

      @method = parts.pop
      file, @owner = parts
      require file
    end

    # The result as bytes. Streams are passed on as they are.
    def call(event, context)
      owner = @owner ? Kernel.const_get(@owner) : TOPLEVEL_BINDING.receiver
      result = owner.__send__(@method, event: event, context: context)
      case result
      when StringIO, IO then result.read.to_s
      else result.to_json
      end
    end
  end

  class << self
    def main
      channel = Channel.new(3)
      patch_logger
      adopt_variables(channel) if ENV.delete('_ALONZO_PARK')
      $stdout.sync = $stderr.sync = true
      open_log
      add_search_paths
      handler = load_handler(channel)
      channel.send_frame(READY, nil)
      serve(channel, handler)
    end

    # Wait to be told what to run; go on as if started with its variables, in its folder.
    def adopt_variables(channel)
      kind, _header, body = channel.receive
      exit!(0) if kind.nil?
      raise 'the daemon sent what is no CONFIG frame' unless kind == CONFIG

      ENV.replace(JSON.parse(body))
      Gem.clear_paths if defined?(Gem)
      Dir.chdir(ENV.fetch('LAMBDA_TASK_ROOT', '/var/task'))
    end

    # The function's code first, then what RUBYLIB says, then the library.
    def add_search_paths
      folders = [ENV.fetch('LAMBDA_TASK_ROOT', '/var/task'), *ENV.fetch('RUBYLIB', '').split(':')]
      $LOAD_PATH.replace((folders + $LOAD_PATH).uniq)
    end

    # Load the function. On failure the daemon is told, and the process ends.
    def load_handler(channel)
      Handler.new(ENV['_HANDLER'].to_s)
    rescue Exception => e
      document = report(e, 'Init', "Init error when loading handler #{ENV['_HANDLER']}")
      channel.send_frame(INIT_ERROR, { type: document[:errorType] }, as_body(document))
      flush
      # Not exit: threads and at_exit blocks of the broken file would keep the process.
      exit!(1)
    end

    def serve(channel, handler)
      process = Process.pid
      while (call = channel.receive)
        kind, header, body = call
        raise 'the daemon sent what is no INVOKE frame' unless kind == INVOKE

        answer, critical = handle(handler, header, body)
        # A child that the handler forked and let run on: the answer is its parent's to give.
        exit!(0) if Process.pid != process
        answer[1][:last] = true if critical
        channel.send_frame(*answer)
        exit!(CRITICAL_STATUS) if critical
      end
      exit!(0)
    end

    # Run one call to its end: the frame that answers it, and whether the process must end then.
    #
    # Source: AWS's client, which ends after a NameError and after what is no StandardError.
    def handle(handler, header, body)
      Current.request_id = header['id']
      set_trace(header['trace'])
      begin
        event = JSON.parse(body)
        context = LambdaContext.new(header)
      rescue StandardError => e
        return failure(header, report(e, 'Runtime', 'Error raised from runtime')), false
      end
      begin
        [[RESPONSE, { id: header['id'] }, handler.call(event, context)], false]
      rescue NameError => e
        [failure(header, report(e, 'Function', 'Critical exception from handler')), true]
      rescue StandardError => e
        [failure(header, report(e, 'Function', 'Error raised from handler method')), false]
      rescue Exception => e
        [failure(header, report(e, 'Function', 'Critical exception from handler')), true]
      end
    ensure
      flush
    end

    # Write out what was printed; a function may have closed or replaced the stream.
    def flush
      $stdout.flush
    rescue StandardError
      nil
    end

    # Show the call's trace header to the X-Ray SDK.
    def set_trace(trace)
      trace ? ENV['_X_AMZN_TRACE_ID'] = trace : ENV.delete('_X_AMZN_TRACE_ID')
    end

    def failure(header, document)
      [ERROR, { id: header['id'], type: document[:errorType] }, as_body(document)]
    end

    # Log an error and return its document.
    def report(error, phase, title)
      frames = (error.backtrace_locations || []).map(&:to_s)
      # Ours are the last: they called the function.
      frames.pop while frames.last&.start_with?(__FILE__)
      document = {
        errorMessage: message_of(error),
        errorType: "#{phase}<#{error.class}>",
        stackTrace: frames.first(FRAMES_MAX).map { |frame| utf8(frame) }
      }
      log.write("#{title}\n#{as_body(document)}")
      document
    end

    # A class may have a message that raises.
    def message_of(error)
      utf8(error.message.to_s)
    rescue StandardError
      error.class.to_s
    end

    def as_body(document)
      JSON.generate(document)
    end
  end
end

Alonzo.main
