def handler(event:, context:)
  sleep 60
end
