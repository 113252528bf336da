-- ym2612ml.mpi, an optional module: the processes that mpirun started together. It is not a
-- part of the table `require "ym2612ml"` gives, which does not need Open MPI.
--
--     local ranks <close> = assert(require "ym2612ml.mpi".start())
--     for step, message in ym.dataset.steps { output = "notes", count = 10 ^ 6, ranks = ranks } do
--       if not step then error(message) end
--     end
local core = require "ym2612ml.core"
local files = require "ym2612ml.files"
local mpi = require "ym2612ml.mpi.core"
local ranks = require "ym2612ml.ranks"
local store = require "ym2612ml.store"

local M = {}

-- The SHA-256 of all that this module is made of, and what it works with.
local function build()
  local folder = debug.getinfo(1, "S").source:match("^@(.*)mpi%.lua$") or "./"
  local paths, digests = files.expand({ folder }, { lua = true }, "sources"), {}
  for _, name in ipairs { "ym2612ml.core", "ym2612ml.mpi.core" } do
    paths[#paths + 1] = package.searchpath(name, package.cpath)
  end
  for i, path in ipairs(paths) do
    digests[i] = store.sha256_file(path) or path
  end
  return store.sha256(table.concat(digests))
end

--- Joins the processes that mpirun started: every one has to call it. Starts MPI unless it
--- runs. Ranks of other builds of ym2612ml, or that work with other instructions (ym.simd),
--- whose results would not be the same bits, are refused. So that the ranks on a machine
--- share its processors, each has their number divided by the ranks there as its number of
--- threads (ym.threads), or as many as it was bound to.
---@param tell? fun(message: string)  called where ranks are refused, before any of them ends
---@return ym2612ml.Ranks? ranks
---@return string? message
---@return string? kind  "input": ranks that do not fit together; "io": what MPI says
function M.start(tell)
  local started, message, kind = mpi.start()
  if not started then
    return nil, message, kind
  end
  local self = ranks.new(started)
  local alike
  alike, message, kind = self:alike {
    { "runs another build of ym2612ml", build() },
    { "works with other instructions", core.simd() },
  }
  if not alike then
    if tell then
      tell(message)
    end
    self:close()
    return nil, message, kind
  end
  core.threads(self.threads)
  return self
end

return M
