# Handlers that are methods of a module and of a class inside it.
module Shop
  def self.handler(event:, context:)
    ['module', event]
  end

  class Till
    def self.ring(event:, context:)
      ['class', event]
    end
  end
end
