# Sleeps for as long as it is told, in seconds.
def handler(event:, context:)
  sleep event
  'awake'
end
