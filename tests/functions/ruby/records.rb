# Writes what a function with JSON logs writes.
require 'logger'

LOGGER = Logger.new($stdout, progname: 'shop')

class OutOfCheese < StandardError; end

def fail_here
  raise OutOfCheese, 'no cheese'
end

def handler(event:, context:)
  LOGGER.debug('too low')
  LOGGER.info("two\nlines")
  Logger.new($stderr).warn({ cheese: 0 })
  Logger.new($stdout, level: Logger::DEBUG).debug("low\xff")
  puts 'plain'
  begin
    fail_here
  rescue OutOfCheese => e
    LOGGER.error(e)
  end
  LOGGER.error(OutOfCheese.new('never raised'))
end
