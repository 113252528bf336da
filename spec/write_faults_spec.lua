-- Some of the writes of some commands fail; `make faults-writes` does it with all.
local lfs = require "lfs"
local commands = require "spec.faults.write_commands"
local sweeps = require "spec.faults.write_sweep"

describe("a write that fails", function()
  if not sweeps.possible() then
    pending("this machine does not let a program be watched by seccomp's user notification")
    return
  end

  -- Sweeps a case. Returns all problems, and how many runs were refused and ended well.
  local function sweep(case, start, every)
    local problems, refused, whole = {}, 0, 0
    case.start = start
    sweeps.sweep(case, every, function(result)
      table.move(result.problems, 1, #result.problems, #problems + 1, problems)
      refused, whole = refused + result.refused, whole + result.whole
    end)
    return problems, refused, whole
  end

  -- How much of each is tried: every so many of its writes.
  local sampled = { convert = 17, render = 7, dataset = 109, match = 31 }
  local models = lfs.attributes("models/matcher.safetensors", "mode")

  for _, case in ipairs(commands) do
    if sampled[case.name] then
      local tried = (case.name ~= "match" or models) and it or pending
      tried("leaves the old file or the new one, says which and why, and can be done again: " .. case.name, function()
        local problems, refused = sweep(case, case.name == "convert" and "old" or "empty", sampled[case.name])
        assert.equal("", table.concat(problems, "\n"))
        assert.is_true(refused > 0)
      end)
    end
  end

  it("is seen where a program writes in place, which leaves half a file", function()
    local problems = sweep({
      name = "in place", command = 'sh -c "printf %1000s new >@/out/file || exit 1"',
      empty = { "mkdir @/out; printf %1000s old >@/out/file" },
    }, "empty")
    assert.matches("(short, start empty), call 3, write", table.concat(problems, "\n"), 1, true)
    assert.matches("/file is neither old nor new", table.concat(problems, "\n"), 1, true)
  end)
end)
