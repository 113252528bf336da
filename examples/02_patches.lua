-- Patches to bytes and back, what a check says, and which patches sound the same.
local ym = require "ym2612ml"

local function operator(level)
  return { mul = 1, dt = 0, tl = level, rs = 0, ar = 31, dr = 10, sr = 2, rr = 8, sl = 3 }
end
local patch = { name = "plain", algorithm = 6, feedback = 3 }
for i, level in ipairs { 30, 20, 40, 20 } do
  patch[i] = operator(level)
end

-- A Y12 file is 128 bytes; decoding gives every field back.
local bytes = ym.patch.encode(patch, "y12")
local again = assert(ym.patch.decode(bytes, "y12"))
assert(ym.patch.encode(again, "y12") == bytes)
print(("%d bytes, name %q, operator 3 at level %d"):format(#bytes, again.name, again[3].tl))

-- Bytes that are no patch are a failure of the world: nil, message, kind.
print(ym.patch.decode(bytes:sub(1, 100), "y12"))

-- A field out of range is misuse: an error that names operator and field.
again[3].tl = 200
print(select(2, pcall(ym.patch.check, again)))

-- Operators 3 and 4 of algorithm 6 are carriers that the chip adds up: their order
-- cannot be heard, and the canonical form does not keep it.
local swapped = { algorithm = 6, feedback = 3, patch[1], patch[2], patch[4], patch[3] }
local one, other = ym.patch.canonical(patch), ym.patch.canonical(swapped)
assert(ym.patch.encode(one, "y12") == ym.patch.encode(other, "y12"))
print("swapping operators 3 and 4 changes nothing")

for _, field in ipairs(ym.patch.fields()) do
  if not field.operator or field.operator == 1 then
    print(("%-10s %3d..%-3d  %s"):format(field.name, field.minimum, field.maximum,
      field.meaning))
  end
end
