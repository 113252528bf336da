-- Readers of what was learned, and of what it was learned from: see readers.lua.
local json = require "ym2612ml.json"
local patch_vae = require "ym2612ml.networks.patch_vae"
local shards = require "ym2612ml.shards"
local ym = require "ym2612ml"

-- The training whose states are read.
local net = ym.nn.graph(function(g)
  local out = ym.nn.dense(g:input("x", { 2 }), 2, { name = "only" })
  return { out = out, loss = out:mse(g:input("y", { 2 })) }
end, { seed = 1 })
local numbers = ym.tensor.from { { 1, 2 }, { 3, 4 } }
local TRAINING = { epochs = 2, batch = 1, seed = 1, keep_best = true, validation = { x = numbers, y = numbers } }

local function steps(resume)
  local options = { resume = resume }
  for name, value in pairs(TRAINING) do
    options[name] = value
  end
  return ym.train.steps(net, { x = numbers, y = numbers }, options)
end

local M = {}

--- A state of that training.
---@return string bytes
function M.state()
  local one = steps()
  one()
  return (one():dump())
end

--- Sizes of the smallest space, whose network the files have.
M.sizes = { width = 1, heads = 1, wider = 1, encoder = 1, decoder = 1, latents = 2, flows = 0, dropout = 0 }

local weights, metadata_of_space = ym.store.decode(patch_vae.build(M.sizes):dump())

-- A shard of one array, of which there is none.
local function shard_in(folder)
  return {
    name = "train_00001", split = "train", number = 1, records = 2, path = folder, settings = "s",
    arrays = { { name = "a", type = "u8" } },
  }
end

-- The text of an object with the checksum that it should have, as shards are told.
local function with_own_checksum(text)
  local fine, info = pcall(json.decode, text)
  if not fine or type(info) ~= "table" or info[1] ~= nil then
    return text
  end
  info.crc32 = nil
  info.crc32 = ("%08x"):format(ym.crc32(json.encode(info)))
  return json.document(info)
end

-- The bytes of tensors with the checksum that they should have; as they are where they hold none.
local function with_checksum(bytes)
  local tensors, metadata = ym.store.decode((bytes:gsub('"crc32":"', '"crc33":"', 1)))
  if not tensors then
    return bytes
  end
  metadata.crc33 = nil
  return ym.store.encode(tensors, metadata)
end

--- Adds the readers. What they are given has its checksum made right first: a search would
--- never find it.
---@param add fun(name: string, sources: string[], check: fun(bytes: string, path: string))
---@param accepted fun(result: any, message: any, kind: any, path: string?): boolean
---@param write fun(path: string, bytes: string)
function M.add(add, accepted, write)
  add("network", { "nn/network.lua", "nn/recorder.lua" }, function(bytes, path)
    write(path, with_checksum(bytes))
    local read, message, kind = ym.nn.load(path)
    if accepted(read, message, kind, path) then
      assert(read:restore(read:dump()), "a network does not take its own state")
    end
  end)

  add("pca", { "pca.lua", "saved.lua" }, function(bytes, path)
    write(path, with_checksum(bytes))
    local pca, message, kind = ym.pca.load(path)
    if accepted(pca, message, kind, path) then
      pca:ratios()
      pca:transform(ym.tensor.new { 2, pca.columns })
    end
  end)

  add("state", { "train/state.lua" }, function(bytes)
    local fine, step, message, kind = pcall(steps, with_checksum(bytes))
    if not fine then
      assert(step:find("option 'resume'", 1, true), step)
    elseif accepted(step, message, kind) then
      step()
    end
  end)

  -- What a file tells of a space beside its network.
  add("space", { "space/space.lua" }, function(bytes, path)
    metadata_of_space["user.space"] = bytes
    write(path, ym.store.encode(weights, metadata_of_space))
    accepted(ym.space.load(path))
  end)

  -- The description of a model, whose network is not there.
  add("learner", { "learner/model.lua", "networks/fronts.lua" }, function(_, path)
    accepted(ym.learner.load(path:match "^(.*)/"))
  end)

  add("shard", { "shards.lua" }, function(bytes, path)
    write(path, with_own_checksum(bytes))
    accepted(shards.read(shard_in(path:match "^(.*)/")))
  end)
end

return M
