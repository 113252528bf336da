-- Weights from files of other programs into a network of the same shapes.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local store = require "ym2612ml.store"

local M = {}

-- Where PyTorch keeps the axes of a weight in another order: operator -> the axis of the
-- file's tensor that becomes ours, one by one. Of linear and lstm (out, in) -> (in, out);
-- of conv2d (out, in, height, width) -> (height, width, in, out); of conv2d_transpose
-- (in, out, height, width) likewise.
local TORCH = {
  linear = { 2, 1 }, lstm = { 2, 1 }, conv2d = { 3, 4, 2, 1 }, conv2d_transpose = { 3, 4, 1, 2 },
}

-- For each node that is a weight, or a part of one: the operator that uses it as such.
local function users(nodes)
  local found = {}
  for index = #nodes, 1, -1 do
    local node = nodes[index]
    if TORCH[node.operator] then
      found[node.inputs[2]] = node.operator
    elseif node.operator == "slice" then
      found[node.inputs[1]] = found[node.inputs[1]] or found[index]
    end
  end
  return found
end

-- The file's tensor with its axes as ours. A weight of PyTorch's Conv1d has one less.
local function turn(tensor, axes)
  local shape = tensor:shape()
  if #axes == 4 and #shape == 3 then
    tensor = tensor:reshape { shape[1], shape[2], 1, shape[3] }
  end
  return #axes == #tensor:shape() and tensor:permute(axes) or tensor
end

local function describe(shape)
  return "(" .. table.concat(shape, ", ") .. ")"
end

--- One leaf's tensor out of those of a file; nil and why not.
---@param tensors table<string, ym2612ml.Tensor>
---@param name string  of the leaf
---@param shape integer[]  of the leaf
---@param from? string  its name in the file, default the same
---@param axes? integer[]  the axis of the file's tensor that becomes ours, one by one
---@return ym2612ml.Tensor? tensor
---@return string? message
function M.find(tensors, name, shape, from, axes)
  from, shape = from or name, #shape == 0 and { 1 } or shape
  local tensor = tensors[from]
  local called = name == from and ("tensor '%s'"):format(from) or ("tensor '%s', for '%s',"):format(from, name)
  if not tensor then
    return nil, called .. " is missing"
  elseif not core.store.finite(tensor) then
    return nil, called .. " holds a value that is not finite"
  end
  tensor = axes and turn(tensor, axes) or tensor
  if describe(tensor:shape()) ~= describe(shape) then
    return nil, ("%s has the shape %s%s, expected %s"):format(
      called, describe(tensor:shape()), axes and " (its axes in our order)" or "", describe(shape))
  end
  return tensor
end

--- Copies parameters and states from a safetensors file; all or none.
---@param net ym2612ml.Network
---@param path string
---@param options table  checked: see Network:load_weights
---@param nodes table[]  the recipe of the network
---@return true? done
---@return string? message  names the path
---@return string? kind
function M.load(net, path, options, nodes)
  local tensors, message, kind = store.load(path)
  if not tensors then
    return nil, message, kind
  end
  local used, found, names = users(nodes), {}, options.names
  for name in pairs(type(names) == "table" and names or {}) do
    if not net.leaves[name] then
      check.misuse(("bad argument #2 to 'load_weights' (option 'names': the network has no '%s')"):format(
        tostring(name)))
    end
  end
  for name, leaf in pairs(net.leaves) do
    local from = type(names) == "function" and names(name) or type(names) == "table" and names[name] or name
    if leaf.kind ~= "const" and not (options.partial and not tensors[from]) then
      local axes = options.layout == "torch" and TORCH[used[leaf.index]] or nil
      local tensor, reason = M.find(tensors, name, net.core:shape(leaf.index), from, axes)
      if not tensor then
        return nil, ("%s: %s"):format(path, reason), "format"
      end
      found[leaf.index] = tensor
    end
  end
  if not next(found) then
    return nil, path .. ": holds none of the tensors of the network", "format"
  end
  for index, tensor in pairs(found) do
    net.core:leaf(index):copy(tensor)
  end
  return true
end

return M
