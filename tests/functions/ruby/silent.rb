# Takes its output away.
def handler(event:, context:)
  event == 'close' ? $stdout.close : $stdout = Class.new { def write(*); end }.new
  'quiet'
end
