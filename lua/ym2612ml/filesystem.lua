-- LuaFileSystem without the global variable that it sets as it loads.
local before = rawget(_G, "lfs")
local lfs = require "lfs"
rawset(_G, "lfs", before)
return lfs
