# Returns values that JSON has, and some that it has not.
require 'stringio'
require 'time'

def handler(event:, context:)
  case event
  when 'nothing' then nil
  when 'symbol' then { a: :b }
  when 'stream' then StringIO.new('bytes as they are')
  when 'nan' then Float::NAN
  when 'binary' then "\xff".b
  when 'unicode' then { 'é' => '☃😀' }
  when 'object' then Object
  end
end
