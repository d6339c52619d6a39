# In a folder of the package, and requires its neighbours.
require 'counter'
require_relative '../echo'
