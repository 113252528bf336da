-- For spec/mpi_spec.lua, on three ranks: asserts what they tell each other. Prints "well"
-- at the end of each rank.
package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local ym = require "ym2612ml"
local work = require "ym2612ml.ranks.work"

local ranks = assert(require "ym2612ml.mpi".start())
local rank = ranks.rank

local function same(expected, found)
  assert(expected == found, ("expected %s, got %s"):format(expected, found))
end

local function raises(expected, ...)
  local fine, problem = pcall(...)
  problem = type(problem) == "table" and problem.message or problem
  assert(not fine and tostring(problem):find(expected, 1, true), tostring(problem))
end

same(3, ranks.size)
same(("rank %d of 3"):format(rank), tostring(ranks))
same(math.max(1, math.min(ranks.threads, 64)), ym.threads())
assert(ranks:barrier())

-- Floats, whose sum depends on the order.
local terms = { 1e8, 1, -1e8 }
local tensor = ym.tensor.new { 2, 5 }
tensor:fill(terms[rank + 1])
same(tensor, assert(ranks:sum(tensor)))
for row = 1, 2 do
  for column = 1, 5 do
    same(0, tensor:get(row, column))
  end
end
raises("f16, expected f32", ranks.sum, ranks, ym.tensor.new({ 1 }, "f16"))
raises("tensor expected", ranks.sum, ranks, { 1 })

local given = ym.tensor.from({ rank, rank + 1 }, "i16")
same(given, assert(ranks:broadcast(given, 2)))
same("2 3", table.concat(given:totable(), " "))
same(1, assert(ranks:broadcast({ from = rank }, 1)).from)
raises("(3, expected 0..2)", ranks.broadcast, ranks, 1, 3)
same("0 10 20", table.concat(assert(ranks:gather(10 * rank)), " "))
same("007", assert(ranks:gather "007")[1]) -- a text of digits stays one
same("\0\xFF\n", assert(ranks:gather("\0\xFF\n"))[3])
same("0 3 6 10", table.concat(ranks:cut(10), " "))

assert(ranks:agree())
local well, message, kind = ranks:agree(rank > 0 and "no more space" or nil, "io")
same(nil, well)
same("rank 1: no more space", message)
same("io", kind)
-- What a rank that does something else gives is not taken for its being well.
if rank == 1 then
  ranks:gather "text"
else
  well, message, kind = ranks:agree()
  same(nil, well)
  same("rank 1 does something else", message)
  same("input", kind)
end
assert(ranks:alike { { "has other settings", "same" } })
well, message, kind = ranks:alike { { "has other settings", rank == 2 and "a" or "b" } }
same(nil, well)
same("rank 2 has other settings than rank 0 (a, not b)", message)
same("input", kind)

same(rank, work.together(ranks, function() return rank end))
raises("rank 1: broken", work.together, ranks, function()
  assert(rank ~= 1, { message = "broken", kind = "io" })
end)
same(rank == 0 and "once" or nil, work.once(ranks, function() return "once" end))

-- Every item once, results in order, and a failure everywhere.
local function each(count, perform)
  local taken = {}
  work.each(ranks, count, {
    perform = perform,
    taken = function(item, result)
      same(item, #taken + 1)
      taken[item] = result
    end,
    tell = function() end,
  })
  return taken
end
local taken = each(20, function(item, tick)
  local until_then = ym.clock() + 0.002 * (item % 5)
  repeat
    tick(0.5)
  until ym.clock() >= until_then
  return ("%d\n\0"):format(item)
end)
for item = 1, rank == 0 and 20 or 0 do
  same(("%d\n\0"):format(item), taken[item])
end
same(0, #each(0, error))
raises("rank 2: item failed", each, 50, function(item, tick)
  local until_then = ym.clock() + 20
  repeat -- the others are stopped in the middle
    tick(0)
  until rank == 2 or ym.clock() >= until_then
  if rank == 2 then
    error { message = "item failed", kind = "io" }
  end
  return tostring(item)
end)
same("rank 2: item failed", ranks.failure)
same(3, #assert(ranks:gather "still here"))
if rank < 2 then -- a meeting that not all come to does not keep them from leaving
  same(false, ranks.core:meet(0.01))
end
assert(ranks:close())
assert(not pcall(ranks.barrier, ranks))
print "well"
