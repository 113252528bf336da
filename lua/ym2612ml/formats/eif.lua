-- EIF: one patch without a name, the chip's registers from 0xB0 and 0x30 to 0x9C (Echo).
local layout = require "ym2612ml.formats.layout"

local block = layout.new(29, layout.add_register(layout.register_major(1), 0xB0, 0))

return layout.single_block("eif", "Echo instrument", block)
