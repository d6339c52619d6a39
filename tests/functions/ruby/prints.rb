# Writes in every way that Ruby knows.
require 'logger'

LOGGER = Logger.new($stdout)

def handler(event:, context:)
  puts "hello\nworld", [1, [2]]
  puts
  LOGGER.info('told')
  LOGGER.error(RuntimeError.new('shown'))
  Logger.new($stderr, level: Logger::WARN).info('not told')
  $stdout.puts 'plain out'
  print 'unfinished'
  $stderr.puts 'plain err'
  puts "\xff".b
end
