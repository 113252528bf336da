-- A step of training that several ranks share. Each computes some of the fixed parts of the
-- minibatch and sums their gradients as far as the fixed order allows; then, of a slice of
-- the parameters, what all ranks have, and learns that slice; then all have all weights. So
-- the bits are those of one process. Only the moments of the optimizer remain where their
-- slice is: `complete` brings them together.
local core = require "ym2612ml.core"

local M = {}

-- Rows where the shares of the ranks begin, as `join` takes them.
local function row_starts(total, parts)
  local starts = { 0 }
  for i = 2, #parts do
    local first, count = core.nn.rows(total, parts[i - 1], parts[i] - parts[i - 1])
    starts[i] = first - 1 + count
  end
  return starts
end

-- Parameters where the slices of the ranks begin, and what pieces these are of.
local function slices_of(optimizer, ranks, count)
  local pieces, size = core.nn.pieces(optimizer.core)
  local starts, cut = {}, ranks:cut(pieces)
  for i, piece in ipairs(cut) do
    starts[i] = math.min(piece * size, count)
  end
  return starts, cut
end

-- Goes on with a run that was begun until its parts are done, exchanging rows where nodes
-- need those of all.
local function advance(graph, ranks, total, parts)
  local blocks = graph:advance()
  local starts = blocks and row_starts(total, parts)
  while blocks do
    for _, block in ipairs(blocks) do
      local done, message, kind = ranks.core:join(block, starts)
      if not done then
        return nil, message, kind
      end
    end
    blocks = graph:advance()
  end
  return true
end

-- Sums the gradients of the own slice; those of what is computed from parameters alone,
-- which lie behind them, are summed by the last rank for all.
local function sum(net, ranks, slices, parts)
  local graph, counts, blocks = net.core, {}, 0
  local partials, gradients = graph:slopes()
  local all = #gradients
  local starts = table.move(slices, 1, #slices, 1, {})
  local parameters = starts[#starts]
  starts[#starts] = all
  for i = 1, ranks.size do
    counts[i] = core.nn.blocks(parts[i], parts[i + 1] - parts[i])
    blocks = blocks + counts[i]
  end
  local first, width = starts[ranks.rank + 1], starts[ranks.rank + 2] - starts[ranks.rank + 1]
  local columns = net.columns
  if not columns or columns:shape()[1] ~= blocks or columns:shape()[2] ~= width then
    columns = core.tensor.new { blocks, width }
    net.columns = columns
  end
  local done, message, kind = ranks.core:exchange(partials, counts, starts, columns)
  if not done then
    return nil, message, kind
  end
  if width > 0 then
    graph:sum(columns, parts, first)
  end
  if all > parameters then
    return ranks.core:broadcast(gradients:slice(parameters + 1, all), ranks.size - 1)
  end
  return true
end

-- What every rank found, put together: the losses of all parts and the squares of all
-- pieces; or nil, message, kind of the first rank whose data was unusable.
local function put_together(ranks, losses, squares, kind)
  local own = losses and string.pack("s1s4s4", "", losses, squares) or string.pack("s1s4s4", kind, squares, "")
  local all, message, failure = ranks.core:gather(own)
  if not all then
    return nil, message, failure
  end
  local parts, pieces = {}, {}
  for i, text in ipairs(all) do
    failure, parts[i], pieces[i] = string.unpack("s1s4s4", text)
    if failure ~= "" then
      return nil, parts[i], failure
    end
  end
  return table.concat(parts), table.concat(pieces)
end

--- Takes the step, on all ranks.
---@param net ym2612ml.Network
---@param optimizer ym2612ml.Optimizer
---@param ranks ym2612ml.Ranks
---@param total integer  rows of the minibatch
---@param draw integer  seed of the step's random numbers
---@param feed fun(first: integer, count: integer): table?, any, any, any  gives for so many
---  rows of it, from number first (1) on, what graph:begin of the core takes: feeds, order,
---  first, count; or nil, message, kind
---@return number? loss
---@return number|string norm  or a message
---@return string? kind
function M.step(net, optimizer, ranks, total, draw, feed)
  local graph, parts = net.core, ranks:cut(core.nn.parts(total))
  local mine, count = parts[ranks.rank + 1], parts[ranks.rank + 2] - parts[ranks.rank + 1]
  local feeds, order, from, rows = feed(core.nn.rows(total, mine, count))
  if not feeds then
    return nil, order, from
  end
  local done, message, kind = graph:begin(feeds, order, from, rows, draw, total, mine, count)
  if done then
    done, message, kind = advance(graph, ranks, total, parts)
  end
  local parameters = #graph:weights()
  local slices, cut = slices_of(optimizer, ranks, parameters)
  if done then
    done, message, kind = sum(net, ranks, slices, parts)
  end
  if not done then
    return nil, message, kind
  end
  local first, pieces = cut[ranks.rank + 1], cut[ranks.rank + 2] - cut[ranks.rank + 1]
  local losses, squares
  losses, squares, kind = put_together(ranks, graph:settle(optimizer.core, first, pieces))
  if not losses then
    return nil, squares, kind
  end
  local loss, norm, failure = graph:take(optimizer.core, losses, squares, first, pieces)
  if loss and parameters > 0 then
    done, message, kind = ranks.core:join(graph:weights(), slices)
    if not done then
      return nil, message, kind
    end
  end
  return loss, norm, failure
end

--- Gives all ranks all moments of an optimizer whose steps they share.
---@param net ym2612ml.Network
---@param optimizer ym2612ml.Optimizer
---@param ranks ym2612ml.Ranks
---@return true? done
---@return string? message
---@return string? kind  "io"
function M.complete(net, optimizer, ranks)
  local moments, count = optimizer.core:moments(), #net.core:weights()
  local slices = slices_of(optimizer, ranks, count)
  for first = 1, #moments, math.max(count, 1) do
    local done, message, kind = ranks.core:join(moments:slice(first, first + count - 1), slices)
    if not done then
      return nil, message, kind
    end
  end
  return true
end

return M
