-- Base64 (RFC 4648), as pages hold bytes.
local M = {}

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local BLOCK = 3 * 512 -- bytes turned into text at once

-- The two characters of every 12 bits.
local pairs_of = {}
for high = 1, 64 do
  for low = 1, 64 do
    pairs_of[#pairs_of + 1] = ALPHABET:sub(high, high) .. ALPHABET:sub(low, low)
  end
end

--- Encodes bytes, with "=" to a whole number of four characters.
---@param bytes string
---@return string text
function M.encode(bytes)
  local missing = -#bytes % 3
  local whole = bytes .. ("\0"):rep(missing)
  local blocks, texts = {}, {}
  for first = 1, #whole, BLOCK do
    local count = 0
    local values = { whole:byte(first, math.min(first + BLOCK - 1, #whole)) }
    for i = 1, #values, 3 do
      local middle = values[i + 1]
      texts[count + 1] = pairs_of[(values[i] << 4 | middle >> 4) + 1]
      texts[count + 2] = pairs_of[((middle & 15) << 8 | values[i + 2]) + 1]
      count = count + 2
    end
    blocks[#blocks + 1] = table.concat(texts, "", 1, count)
  end
  local text = table.concat(blocks)
  return text:sub(1, #text - missing) .. ("="):rep(missing)
end

return M
