-- A few of the failures of memory that `make faults` tries all of: in each part of a session,
-- the first and a middle request, alone and with all after it.
local lfs = require "lfs"

local HOST = ".build/faults/allocations"
local answers = lfs.attributes(HOST, "mode") and it or pending

describe("memory that fails", function()
  answers("is raised, loses nothing and leaves the state as it was", function()
    local pipe <close> = assert(io.popen(HOST .. " spec/faults/allocations.lua 2 2>&1"))
    local text = pipe:read "a"
    local _, _, status = pipe:close()
    assert.equal(0, status, text)
    local runs, raised, told, survived = text:match "(%d+) runs: (%d+) raised, (%d+) told, (%d+) survived; 0 faults\n$"
    assert.is_truthy(runs, text)
    assert.is_true(tonumber(raised) > 200, text)
    assert.equal(tonumber(runs), raised + told + survived)
  end)
end)
