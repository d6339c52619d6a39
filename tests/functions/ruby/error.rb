# Raises, two frames deep.
class OutOfCheese < StandardError; end

def handler(event:, context:)
  check(event)
end

def check(event)
  raise OutOfCheese, event.fetch('message', 'redo from start')
end
