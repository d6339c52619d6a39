require 'not-installed-anywhere'
