-- Small networks that use most of the layers, and InverSynth's, for specs and for the
-- comparison with PyTorch, which builds the same from its own layers: see the names of the
-- parameters.
local published = require "ym2612ml.networks.published"
local ym = require "ym2612ml"
local nn = ym.nn

local M = {}

--- Classifies sequences: two LSTM layers, both ways.
---@param g table  a recorder
---@return table outputs  states (batch, 12, 16), logits (batch, 5) and loss; inputs x
---  (batch, 12, 6) and target (batch, 1)
function M.lstm_net(g)
  local x = g:input("x", { 12, 6 })
  local states = nn.lstm(x, 8, { layers = 2, bidirectional = true, name = "lstm" })
  local pooled = nn.layer_norm(states:mean(2), { name = "norm" })
  local last = nn.lstm(states, 8, { last = true, name = "head" })
  local logits = nn.dense(pooled:concat(last, { axis = 2 }), 5, { name = "out" })
  local loss = logits:head_cross_entropy(g:input("target", { 1 }), { widths = { 5 } })
  return { states = states, logits = logits, loss = loss }
end

-- Attention and a small network, each added to what it gets and normalised after.
local function block(x, heads, name)
  local function attend(y)
    return nn.attention(y, y, y, { heads = heads, name = name .. ".attention" })
  end
  local function think(y)
    local wide = nn.dense(y, 32, { activation = "gelu", name = name .. ".wide" })
    return nn.dense(wide, 16, { name = name .. ".narrow" })
  end
  x = nn.layer_norm(nn.residual(x, attend), { name = name .. ".norm1" })
  return nn.layer_norm(nn.residual(x, think), { name = name .. ".norm2" })
end

--- A variational autoencoder of 6 parameters of 7 values each: attention between the
--- parameters, latent vectors of 4 numbers through 3 Sylvester flows.
---@param g table  a recorder
---@return table outputs  z (batch, 4), change (batch: log-determinant of the flows),
---  logits (batch, 42) and loss; inputs x (batch, 6), of classes, and noise (batch, 4)
function M.vae(g)
  local x, noise = g:input("x", { 6 }), g:input("noise", { 4 })
  local places = g:param("places", { 6, 16 }, { init = "normal", value = 0.5 })
  local h = nn.embedding(x, 7, 16, { name = "embedding" }) + places
  h = block(h, 4, "encoder"):mean(2)
  local mean, spread = nn.dense(h, 4, { name = "mean" }), nn.dense(h, 4, { name = "spread" })
  local start = mean + (spread * 0.5):clamp(-5, 4):exp() * noise
  local z, change = nn.sylvester_flow(start, h, { flows = 3, name = "flow" })
  local ones = (x * 0):reshape { 6, 1 } + places
  local y = nn.film(ones, z, { scale = "sigmoid", shift = "tanh", name = "film" })
  local logits = nn.dense(block(y, 4, "decoder"), 7, { name = "out" }):reshape { 42 }
  local rebuilt = logits:head_cross_entropy(x, { widths = { 7, 7, 7, 7, 7, 7 } })
  -- log q(z0) - log p(z) - change, but for constants, which cancel
  local divergence = ((z * z - noise * noise) * 0.5 - (spread * 0.5):clamp(-5, 4)):sum() - change
  return { z = z, change = change, logits = logits, loss = rebuilt / 6 + divergence * 0.1 }
end

--- Makes an image smaller and larger again.
---@param g table  a recorder
---@return table outputs  large (batch, 8, 10, 3), out (batch, 4) and loss; inputs x
---  (batch, 7, 10, 2) and target (batch, 4)
function M.conv_net(g)
  local x = g:input("x", { 7, 10, 2 })
  local y = nn.conv(x, 5, { size = { 3, 4 }, stride = 2, activation = "relu", name = "down" })
  y = nn.batch_norm(y, { name = "norm" })
  local large = nn.conv(y, 3, { size = 4, stride = 2, transpose = true, activation = "tanh", name = "up" })
  y = nn.conv(large, 4, { size = 3, padding = "valid", activation = "elu", name = "inside" })
  y = y:max_pool { size = 2, stride = 2 }:mean_pool { size = { 1, 2 }, stride = { 1, 2 } }
  local out = nn.dense(y:reshape { 3 * 2 * 4 }, 4, { name = "out" })
  return { large = large, out = out, loss = out:smooth_l1(g:input("target", { 4 })) }
end

--- A network of InverSynth as published: 23 parameters of 16 classes.
---@param name string  of the architecture
---@param shape integer[]  of its input
---@return fun(g: table): table write  outputs out (probabilities), logits (batch, 368) and
---  loss; inputs x and target
function M.inversynth(name, shape)
  return function(g)
    local hidden = published.get(name).body(g, g:input("x", shape), shape, { hidden = 512 })
    local logits = nn.dense(hidden, 368)
    return { out = logits:sigmoid(), logits = logits, loss = logits:bce_logits(g:input("target", { 368 })) }
  end
end

return M
