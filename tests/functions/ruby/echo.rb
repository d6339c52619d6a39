# Returns what it is given.
def handler(event:, context:)
  event
end
