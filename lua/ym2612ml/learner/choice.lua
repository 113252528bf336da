-- Which parameters of a data set can be learned.
local M = {}

--- Chooses the parameters to be learned: not those that are fixed, constant in the data or
--- not heard.
---@param set ym2612ml.SoundSet
---@return string[] names
---@return table<string, string> dropped  why the others are not
---@return table<string, number> usual  the value that those are given: the most usual of
---  the training set
function M.of(set)
  local names, dropped, usual, counts = {}, {}, {}, {}
  for p in ipairs(set.synth.parameters) do
    counts[p] = {}
  end
  for _, row in ipairs(set.splits.train.values:totable()) do
    for p, value in ipairs(row) do
      counts[p][value] = (counts[p][value] or 0) + 1
    end
  end
  for p, parameter in ipairs(set.synth.parameters) do
    local best, kinds = nil, 0
    for value, count in pairs(counts[p]) do
      kinds = kinds + 1
      if best == nil or count > counts[p][best] or count == counts[p][best] and value < best then
        best = value
      end
    end
    local reason = parameter.fixed and "fixed" or kinds == 1 and "constant in the data"
      or set.observable[parameter.name] == false and "not heard" or nil
    if reason then
      dropped[parameter.name], usual[parameter.name] = reason, best
    else
      names[#names + 1] = parameter.name
    end
  end
  return names, dropped, usual
end

return M
