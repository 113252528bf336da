local cjson = require "cjson"
local json = require "ym2612ml.json"

describe("JSON that depends on the value alone", function()
  it("has its keys in order", function()
    local object = {}
    for _, key in ipairs { "beta", "alpha", "gamma", "delta" } do
      object[key] = { b = key, a = true }
    end
    local expected = {}
    for i, key in ipairs { "alpha", "beta", "delta", "gamma" } do
      expected[i] = ('"%s":{"a":true,"b":"%s"}'):format(key, key)
    end
    assert.equal("{" .. table.concat(expected, ",") .. "}", json.encode(object))
    assert.equal('{\n"a": [],\n"b": [1,[2,"x"]]\n}\n', json.document { b = { 1, { 2, "x" } }, a = {} })
  end)

  it("writes numbers so that they read back the same", function()
    assert.equal("[0.1,1,-7,9007199254740992,0.333333]", json.encode { 0.1, 1.0, -7, 2 ^ 53, 0.333333 })
    for _, value in ipairs { 1 / 3, 0.1 + 0.2, 1e-300, -2 ^ 0.5, 1e300, 5e-324 } do
      assert.equal(value, tonumber((json.encode(value))))
    end
  end)

  it("reads all there is, and so deep only that a small stack will do", function()
    assert.same({ a = { 1, "x" } }, json.decode('{"a":[1,"x"]}'))
    assert.is_false((pcall(json.decode, '{"a":1}\0{"b":2}')))
    assert.is_true((pcall(json.decode, ("["):rep(60) .. ("]"):rep(60))))
    assert.is_false((pcall(json.decode, ("["):rep(100000) .. ("]"):rep(100000))))
  end)

  it("escapes texts as JSON does", function()
    local text = 'a "quoted"\\ \n\t\1 line'
    assert.equal(text, cjson.decode(json.encode { text })[1])
  end)
end)
