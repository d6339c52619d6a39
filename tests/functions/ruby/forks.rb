# Lets a child run on.
def handler(event:, context:)
  child = fork
  Process.wait(child) if child
  child ? 'parent' : 'child'
end
