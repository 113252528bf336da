-- Shuts the doors that nothing read may go through: code, commands, other files written.
-- A door that is tried stays noted, however the error is caught. The file `own` may be written:
-- the one to be read.
local core = require "ym2612ml.core"
local lfs = require "ym2612ml.filesystem"

local M = { tried = nil, own = nil }

local function shut(owner, name, may)
  local open = owner[name]
  owner[name] = function(...)
    if not may or not may(...) then
      M.tried = M.tried or name
      error("the reader called " .. name, 2)
    end
    return open(...)
  end
  return function() owner[name] = open end
end

-- Files may only be opened to be read.
local function reads(_, mode)
  return mode == nil or mode == "r" or mode == "rb"
end

local function is_own(path)
  return path == M.own
end

-- Parts of the module may still be loaded when they are first needed.
local function is_ours(name)
  return name:find("^ym2612ml%.[%w_.]+$") or package.loaded[name] ~= nil
end

--- Shuts them all.
---@return fun() open  opens them again
function M.set()
  M.tried = nil
  local openers = {
    shut(_G, "load"), shut(_G, "loadfile"), shut(_G, "dofile"), shut(_G, "require", is_ours),
    shut(os, "execute"), shut(os, "remove"), shut(os, "rename"), shut(os, "tmpname"), shut(os, "exit"),
    shut(io, "popen"), shut(io, "tmpfile"), shut(io, "open", reads), shut(package, "loadlib"),
    shut(core.store, "write", is_own), shut(core.audio, "write"), shut(lfs, "mkdir"),
  }
  return function()
    for _, open in ipairs(openers) do
      open()
    end
  end
end

return M
