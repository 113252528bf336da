-- How the operators of each algorithm are connected, as a drawing. What is different in
-- every patch, the texts in the boxes, is left to the page.
local numbers = require "ym2612ml.numbers"
local patches = require "ym2612ml.patch"

local M = {}

local WIDTH, HEIGHT = 84, 48 -- of an operator's box
local ACROSS, DOWN = 118, 64 -- from a box to the next
local LEFT, TOP = 16, 34 -- before the first box; above it there is room for the feedback
local RIGHT = 34 -- after the last one, for the output

-- Of each algorithm: the column and row, from 0, of operators 1 to 4, and which modulates
-- which.
local LAYOUTS = {
  [0] = { at = { { 0, 0 }, { 1, 0 }, { 2, 0 }, { 3, 0 } }, edges = { { 1, 2 }, { 2, 3 }, { 3, 4 } } },
  { at = { { 0, 0 }, { 0, 1 }, { 1, 0.5 }, { 2, 0.5 } }, edges = { { 1, 3 }, { 2, 3 }, { 3, 4 } } },
  { at = { { 1, 0 }, { 0, 1 }, { 1, 1 }, { 2, 0.5 } }, edges = { { 2, 3 }, { 1, 4 }, { 3, 4 } } },
  { at = { { 0, 0 }, { 1, 0 }, { 1, 1 }, { 2, 0.5 } }, edges = { { 1, 2 }, { 2, 4 }, { 3, 4 } } },
  { at = { { 0, 0 }, { 1, 0 }, { 0, 1 }, { 1, 1 } }, edges = { { 1, 2 }, { 3, 4 } } },
  { at = { { 0, 1 }, { 1, 0 }, { 1, 1 }, { 1, 2 } }, edges = { { 1, 2 }, { 1, 3 }, { 1, 4 } } },
  { at = { { 0, 0 }, { 1, 0 }, { 1, 1 }, { 1, 2 } }, edges = { { 1, 2 } } },
  { at = { { 0, 0 }, { 0, 1 }, { 0, 2 }, { 0, 3 } }, edges = {} },
}

-- The left upper corner of an operator's box.
local function corner(place)
  return LEFT + ACROSS * place[1], TOP + DOWN * place[2]
end

-- From the right of one box to the left of another, by a step halfway where they are not
-- at one height.
local function edge(from, to)
  local x, y = corner(from)
  local right, height = corner(to)
  x, y, height = x + WIDTH, y + HEIGHT / 2, height + HEIGHT / 2
  local path = y == height and numbers.format("M%g %gH%g", x, y, right)
    or numbers.format("M%g %gH%gV%gH%g", x, y, right - (ACROSS - WIDTH) / 2, height, right)
  return ('<path class="wire" d="%s" marker-end="url(#arrow)"/>'):format(path)
end

-- From a carrier to the output, at the right edge.
local function output(place, edge_of_all)
  local x, y = corner(place)
  return numbers.format('<path class="out" d="M%g %gH%g" marker-end="url(#arrow-out)"/>', x + WIDTH, y + HEIGHT / 2,
    edge_of_all - 6)
end

-- Operator 1 modulating itself: a loop over its box.
local function feedback(place)
  local x, y = corner(place)
  return numbers.format('<path class="wire feedback" d="M%g %gh12v%gh%gv%gh12" marker-end="url(#arrow)"/>'
    .. '<text class="feedback" data-text="feedback" x="%g" y="%g"/>', x + WIDTH, y + 14, -14 - 12,
    -(WIDTH + 24), 14 + 12, x + WIDTH / 2, y - 17)
end

local function box(operator, place, is_carrier)
  local x, y = corner(place)
  return numbers.format('<g class="%s"><rect x="%g" y="%g" width="%g" height="%g" rx="6"/>'
    .. '<text class="number" x="%g" y="%g">%d</text><text class="value" data-text="mul%d" x="%g" y="%g"/>'
    .. '<text class="value" data-text="tl%d" x="%g" y="%g"/></g>', is_carrier and "carrier" or "modulator",
    x, y, WIDTH, HEIGHT, x + 16, y + HEIGHT / 2 + 6, operator, operator, x + WIDTH - 8, y + 20, operator,
    x + WIDTH - 8, y + 38)
end

--- Draws an algorithm. Carriers have an arrow to the output. The texts whose attribute
--- data-text is feedback, mul1 to mul4 and tl1 to tl4 are empty.
---@param algorithm integer  0..7
---@return string svg  an element with the id algorithm-0 to algorithm-7
function M.draw(algorithm)
  local layout = LAYOUTS[algorithm]
  local columns, rows = 0, 0
  for _, place in ipairs(layout.at) do
    columns, rows = math.max(columns, place[1]), math.max(rows, place[2])
  end
  local width = LEFT + ACROSS * columns + WIDTH + RIGHT
  local height = TOP + DOWN * rows + HEIGHT + 4
  local parts = {}
  for _, pair in ipairs(layout.edges) do
    parts[#parts + 1] = edge(layout.at[pair[1]], layout.at[pair[2]])
  end
  parts[#parts + 1] = feedback(layout.at[1])
  for operator, place in ipairs(layout.at) do
    local is_carrier = patches.is_carrier(algorithm, operator)
    if is_carrier then
      parts[#parts + 1] = output(place, width)
    end
    parts[#parts + 1] = box(operator, place, is_carrier)
  end
  return numbers.format('<svg id="algorithm-%d" class="diagram" viewBox="0 0 %g %g" width="%g" height="%g" role="img" '
    .. 'aria-label="Algorithm %d" hidden>%s</svg>', algorithm, width, height, width, height, algorithm,
    table.concat(parts))
end

--- What all drawings of a page need, once: the heads of their arrows.
---@return string svg
function M.heads()
  local head = '<marker id="%s" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
    .. 'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z"/></marker>'
  return ('<svg class="heads" width="0" height="0" aria-hidden="true"><defs>%s%s</defs></svg>'):format(
    head:format("arrow"), head:format("arrow-out"))
end

return M
