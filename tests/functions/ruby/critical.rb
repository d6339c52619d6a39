# Ends in ways that AWS's client does not survive.
def handler(event:, context:)
  case event
  when 'name' then nothing_of_the_kind
  when 'method' then nil.nothing_of_the_kind
  when 'exit' then exit 3
  when 'memory' then raise NoMemoryError, 'no room'
  when 'gone' then exit! 7
  else event
  end
end
