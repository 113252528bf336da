-- The samples in a VGM file: banks, each of all data blocks of one type one after the
-- other. A bank says where in the file a sample lies, and copies none.
local M = {}

local MOST = 1 << 16 -- blocks of a bank: as many as commands can number

local Bank = {}
Bank.__index = Bank

--- Makes an empty bank.
---@return table bank
function M.new()
  return setmetatable({ size = 0, blocks = {}, recent = nil }, Bank)
end

--- Adds a block.
---@param first integer   position of its first byte in the file, from 1
---@param length integer  bytes
---@return boolean added  false: there are too many
function Bank:add(first, length)
  if #self.blocks == MOST then
    return false
  end
  self.blocks[#self.blocks + 1] = { offset = self.size, first = first, length = length }
  self.size = self.size + length
  return true
end

-- The block that an offset within the bank lies in.
local function search(blocks, offset)
  local low, high = 1, #blocks
  while low < high do
    local middle = (low + high + 1) // 2
    if blocks[middle].offset <= offset then
      low = middle
    else
      high = middle - 1
    end
  end
  return blocks[low]
end

--- Where a sample lies.
---@param offset integer  in the bank, from 0
---@return integer? position  in the file, from 1; nil: outside the bank
function Bank:find(offset)
  if offset < 0 or offset >= self.size then
    return nil
  end
  local block = self.recent
  if not block or offset < block.offset or offset >= block.offset + block.length then
    block = search(self.blocks, offset)
    self.recent = block
  end
  return block.first + offset - block.offset
end

return M
