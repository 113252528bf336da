-- Joins the core and the parts in Lua into the module table; nothing else.
local core = require "ym2612ml.core"

local M = {}
for name, value in pairs(core) do
  M[name] = value
end
M.patch = require "ym2612ml.patch"
return M
