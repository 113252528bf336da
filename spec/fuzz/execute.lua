-- What fuzz.c runs on each input, given the name of a reader and the path of its file.
package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
local readers = require "spec.fuzz.readers"
local traps = require "spec.fuzz.traps"

local name, path = ...
assert(readers[name], "no reader of this name")
traps.set()

return function(bytes)
  readers.try(name, bytes, path)
end
