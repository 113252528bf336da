-- Messages and notes that quote files: on one line and of bounded length, whatever the
-- files hold.
local MOST = 500 -- bytes of a text
local BEYOND = "..."

local function escaped(control)
  return ("\\%d"):format(control:byte())
end

--- A text without control characters, which stand as \ and their code, and not too long.
---@param text string
---@return string
return function(text)
  text = text:gsub("\\?\n", "\\n"):gsub("%c", escaped)
  if #text > MOST then
    local last = utf8.offset(text, 0, MOST - #BEYOND + 1) -- no character is cut in two
    text = text:sub(1, last - 1) .. BEYOND
  end
  return text
end
