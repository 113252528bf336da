#!/usr/bin/env lua5.4
-- The command ym2612ml. Installed, it finds its modules where Lua does; run from a
-- checkout as lua/ym2612ml/cli.lua, it looks there first.
local folder = arg[0]:match("^(.*)cli%.lua$")
if folder then
  local root = folder:match("^(.*)ym2612ml[/\\]$") or folder .. "../"
  package.path = ("%s?.lua;%s?/init.lua;%s"):format(root, root, package.path)
  package.cpath = ("%s?.so;%s"):format(root, package.cpath)
end

os.exit(require "ym2612ml.cli.main".run(arg), true)
