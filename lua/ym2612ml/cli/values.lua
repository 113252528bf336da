-- What commands tell of the parameters of a sound.
local M = {}

--- A value as text.
---@param value number
---@return string
function M.text(value)
  return ("%.6g"):format(value)
end

--- The parameters of a sound by name, for JSON.
---@param parameters {name: string}[]
---@return table<string, table>  each without its name
function M.by_name(parameters)
  local named = {}
  for _, parameter in ipairs(parameters) do
    local copy = {}
    for key, value in pairs(parameter) do
      copy[key] = value
    end
    copy.name = nil
    named[parameter.name] = copy
  end
  return named
end

return M
