-- TFI and VGI: one patch without a name, a byte for each value, detune around 3 (TFM Music
-- Maker, VGM Music Maker). VGI is TFI with AMS, FMS and AM.
local layout = require "ym2612ml.formats.layout"

local COLUMNS = { "mul", "dt", "tl", "rs", "ar", "dr", "sr", "rr", "sl", "ssg" }

local tfi = layout.bytes(COLUMNS, 2)
table.insert(tfi, { "algorithm", at = 0 })
table.insert(tfi, { "feedback", at = 1 })

local vgi = layout.bytes(COLUMNS, 3)
table.insert(vgi, { "algorithm", at = 0 })
table.insert(vgi, { "feedback", at = 1 })
table.insert(vgi, { "fms", at = 2 })
table.insert(vgi, { "ams", at = 2, shift = 4 })
for slot, operator in ipairs(layout.ORDER) do
  table.insert(vgi, { "am", operator = operator, at = 3 + (slot - 1) * #COLUMNS + 5, shift = 7 })
end

return {
  layout.single_block("tfi", "TFM Music Maker instrument", layout.new(42, tfi)),
  layout.single_block("vgi", "VGM Music Maker instrument", layout.new(43, vgi), true),
}
