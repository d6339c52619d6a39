class OutOfStock < StandardError; end

def handler(event:, context:)
  raise OutOfStock, event['message']
end
