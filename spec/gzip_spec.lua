local ym = require "ym2612ml"

local function from_hex(text)
  return (text:gsub("%x%x", function(pair)
    return string.char(tonumber(pair, 16))
  end))
end

describe("gzip and gunzip #c", function()
  local text = ("patches of the YM2612, "):rep(500)

  it("give back what was packed", function()
    local rng = ym.rng.new { seed = 1 }
    local noise = {}
    for i = 1, 40000 do
      noise[i] = string.char(rng:integer(0, 255))
    end
    for _, bytes in ipairs { "", "a", text, table.concat(noise), ("\0"):rep(300000) } do
      local packed = ym.gzip(bytes)
      collectgarbage()
      assert.equal(bytes, ym.gunzip(packed))
      assert.equal(packed, ym.gzip(bytes))
    end
    assert.is_true(#ym.gzip(text) < 200)
  end)

  it("read what gzip and zlib write", function()
    -- printf hello | gzip -n, and the same through zlib.compress
    assert.equal("hello", ym.gunzip(from_hex "1f8b0800000000000003cb48cdc9c9070086a6103605000000"))
    assert.equal("hello", ym.gunzip(from_hex "789ccb48cdc9c90700062c0215"))
  end)

  it("read files of several members, and pass over what follows", function()
    local packed = ym.gzip(text) .. ym.gzip("") .. ym.gzip("and more")
    assert.equal(text .. "and more", ym.gunzip(packed))
    assert.equal(text .. "and more", ym.gunzip(packed .. ("\0"):rep(100)))
  end)

  it("unpack no more than they are allowed to", function()
    local packed = ym.gzip(("\0"):rep(1 << 22))
    assert.equal(1 << 22, #ym.gunzip(packed, 1 << 22))
    local unpacked, message, kind = ym.gunzip(packed, (1 << 22) - 1)
    assert.is_nil(unpacked)
    assert.equal("unpacks to more than 4194303 bytes", message)
    assert.equal("format", kind)
    assert.equal("", ym.gunzip(ym.gzip(""), 0))
    assert.is_nil((ym.gunzip(ym.gzip("a"), 0)))
    local bomb = ym.gzip(("\0"):rep((1 << 26) + 1))
    assert.is_nil((ym.gunzip(bomb)))
  end)

  it("refuse what is cut short, damaged, or nothing of the kind", function()
    local packed = ym.gzip(text)
    for length = 0, #packed - 1 do
      local unpacked, message, kind = ym.gunzip(packed:sub(1, length))
      assert.is_nil(unpacked)
      assert.is_string(message)
      assert.equal("format", kind)
    end
    for at = 1, #packed do
      for bit = 0, 7 do
        local bad = packed:sub(1, at - 1) .. string.char(packed:byte(at) ~ 1 << bit) .. packed:sub(at + 1)
        local unpacked, message = ym.gunzip(bad)
        assert.is_true(unpacked == nil and type(message) == "string" or unpacked == text) -- the header has idle bits
      end
    end
    assert.is_nil((ym.gunzip("Vgm ")))
  end)

  it("raise for wrong arguments", function()
    assert.has_error(function() ym.gzip() end)
    assert.has_error(function() ym.gunzip({}) end)
    assert.has_error(function() ym.gunzip("", -1) end, "bad argument #2 to 'gunzip' (expected a count of bytes)")
  end)
end)
