# Has errors whose texts cannot be had.
class Stubborn < StandardError
  def message
    raise 'no message'
  end
end

def handler(event:, context:)
  raise Stubborn if event == 'message'
  raise "\xff\xfe".b if event == 'binary'

  deep = nil
  200.times { deep = [deep] }
  deep
end
