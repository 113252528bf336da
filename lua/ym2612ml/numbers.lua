-- Numbers as files have them: with a point, also where the host has set a locale whose
-- numbers have a comma, which string.format and tostring then write.
local M = {}

-- One number. Beside digits, signs, letters and spaces there is only the point, whatever it is.
local function text(pattern, value)
  return (pattern:format(value):gsub("[^%w+ -]+", "."))
end

--- string.format with a point in all numbers, also those for %s; texts are as they are.
---@param pattern string  as for string.format
---@param ... any
---@return string
function M.format(pattern, ...)
  local values, place = table.pack(...), 0
  pattern = pattern:gsub("%%([-+ #0-9.]*)([%a%%])", function(flags, kind)
    if kind == "%" then
      return nil
    end
    place = place + 1
    if not kind:find("[aAeEfgG]") and not (kind == "s" and math.type(values[place]) == "float") then
      return nil
    end
    values[place] = text("%" .. flags .. kind, values[place])
    return "%s"
  end)
  return pattern:format(table.unpack(values, 1, values.n))
end

return M
