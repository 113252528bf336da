-- Errors that are told as data, and the one that never is.
local attempt = require "ym2612ml.attempt"
local ym = require "ym2612ml"

describe("a call that may fail", function()
  it("gives what pcall gives", function()
    assert.same({ true, 1, nil, 3 }, { attempt(function(...) return ... end, 1, nil, 3) })
    assert.same({ true, n = 1 }, table.pack(attempt(function() end)))
    local object = {}
    assert.same({ false, object }, { attempt(error, object) })
    assert.same({ false, "x: not enough memory for two" }, { attempt(error, "x: not enough memory for two", 0) })
  end)

  it("raises on that there was not enough memory", function()
    assert.has_error(function() attempt(error, "not enough memory", 0) end, "not enough memory")
    assert.error_matches(function() attempt(error, "file.lua:3: not enough memory", 0) end, "not enough memory$")
  end)
end)

describe("the core without memory #c", function()
  it("raises what Lua itself raises, without a place", function()
    local fine, message = pcall(function() return ym.tensor.new { 1 << 40, 1 << 40 } end)
    assert.is_false(fine)
    assert.equal("not enough memory", message)
  end)
end)
