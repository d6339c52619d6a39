# Counts its calls.
$count = 0

def handler(event:, context:)
  $count += 1
end
