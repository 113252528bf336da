-- Pieces of work with a collection at every new object (collect.c), which must give
-- what they give without:
--   collect 1000000 collected.lua [NAME ...]
local works = dofile((os.getenv("YM2612ML_ROOT") or ".") .. "/spec/faults/works.lua")

local every = _G.collect_every
local wanted = {}
for _, name in ipairs(arg) do
  wanted[name] = true
end
for _, work in ipairs(works) do
  if not next(wanted) or wanted[work.name] then
    local expected = work.run()
    every(1)
    local found = work.run()
    every(1000000)
    assert(found == expected, work.name)
    print(work.name .. " with every object collected: the same")
  end
end
