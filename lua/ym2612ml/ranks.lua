-- What several processes that work together ask of each other. ym2612ml.mpi makes the
-- object; whoever has none works alone.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local json = require "ym2612ml.json"

local M = {}

--- What an option for them must be, for check.options.
M.rule = { class = "ym2612ml.Ranks" }

---@class ym2612ml.Ranks
---@field rank integer  of this process, 0..size - 1
---@field size integer
---@field threads integer  that suit each rank on this machine
---@field failure string?  the last that all ranks were told of
local Ranks = {}
Ranks.__index = Ranks
Ranks.__name = "ym2612ml.Ranks"

-- A value out of JSON, whose whole numbers are integers.
local function decode(value)
  if type(value) == "table" then
    for key, inner in pairs(value) do
      value[key] = decode(inner)
    end
  end
  return math.type(value) == "float" and math.tointeger(value) or value
end

local WAIT = 0.05 -- seconds of one look for the others
local PATIENCE = 3 -- seconds that a rank with a failure waits for the others

--- Makes the object.
---@param started table  what src/mpi/lua_mpi.c gives, or does the same
---@return ym2612ml.Ranks
function M.new(started)
  local rank, size, neighbours, processors = started:place()
  local online = core.threads()
  return setmetatable({
    core = started, rank = rank, size = size,
    threads = math.max(1, math.min(processors, online // neighbours)),
  }, Ranks)
end

--- Waits until all ranks have come here.
---@return true? done
---@return string? message
---@return string? kind  "io"
function Ranks:barrier()
  return self.core:barrier()
end

--- Gives all ranks what one has: a tensor of the same shape and type everywhere, in place,
--- or a value that JSON holds, of which only that of the root counts.
---@param value any
---@param root? integer  rank, default 0
---@return any value  the root's; nil, message, "io" where MPI fails
---@return string? message
---@return string? kind
function Ranks:broadcast(value, root)
  root = root or 0
  if math.type(root) ~= "integer" or root < 0 or root >= self.size then
    check.misuse(("bad argument #2 to 'broadcast' (%s, expected 0..%d)"):format(tostring(root), self.size - 1))
  end
  if check.is_tensor(value) then
    local done, message, kind = self.core:broadcast(value, root)
    return done and value or nil, message, kind
  end
  local texts, message, kind = self.core:gather(self.rank == root and json.encode { value } or "")
  if not texts then
    return nil, message, kind
  end
  return decode(json.decode(texts[root + 1])[1])
end

--- Gives all ranks what each has.
---@param value string|number|boolean|table  small, and such as JSON holds
---@return any[]? values  in the order of the ranks
---@return string? message
---@return string? kind  "io"
function Ranks:gather(value)
  local texts, message, kind = self.core:gather(json.encode { value })
  if not texts then
    return nil, message, kind
  end
  for i, text in ipairs(texts) do
    texts[i] = decode(json.decode(text)[1])
  end
  return texts
end

--- Cuts so many things that lie in a row in shares of neighbours, one a rank.
---@param count integer
---@return integer[] starts  size + 1 numbers: rank r has those from starts[r + 1], counted
---  from 0, to below starts[r + 2]
function Ranks:cut(count)
  local starts = {}
  for rank = 0, self.size do
    starts[rank + 1] = count * rank // self.size
  end
  return starts
end

--- Adds up a tensor over all ranks, in their order whatever the way it takes: the bits
--- depend on the number of ranks alone. Its elements become the sums, on every rank.
---@param tensor ym2612ml.Tensor  f32, contiguous, of one shape everywhere
---@return ym2612ml.Tensor? tensor
---@return string? message
---@return string? kind  "io"
function Ranks:sum(tensor)
  check.tensor(tensor, 1, "sum")
  check.no_problem(tensor:type() ~= "f32" and ("elements of %s, expected f32"):format(tensor:type()) or nil, 1, "sum")
  local count = 1
  for _, size in ipairs(tensor:shape()) do
    count = count * size
  end
  local done, message, kind = self.core:sum(tensor, self:cut(count))
  return done and tensor or nil, message, kind
end

--- Lets all ranks know whether each of them is well. All have to call it.
---@param message? string  what failed here; nil: nothing
---@param kind? string
---@return true? well
---@return string? message  of the first rank that failed, with its number
---@return string? kind
function Ranks:agree(message, kind)
  local told, problem, sort = self:gather(message and { message, kind or "input" } or {})
  if not told then
    return nil, problem, sort
  end
  for i, failure in ipairs(told) do
    if type(failure) ~= "table" then
      return nil, ("rank %d does something else"):format(i - 1), "input"
    elseif failure[1] then
      self.failure = ("rank %d: %s"):format(i - 1, failure[1])
      return nil, self.failure, failure[2]
    end
  end
  return true
end

--- Refuses ranks that differ from rank 0.
---@param facts {[1]: string, [2]: string}[]  what it would be said that a rank does, such as
---  "has other settings", and what must be the same
---@return true? alike
---@return string? message
---@return string? kind  "input"
function Ranks:alike(facts)
  local own = {}
  for i, fact in ipairs(facts) do
    own[i] = fact[2]
  end
  local all, message, kind = self:gather(own)
  if not all then
    return nil, message, kind
  end
  for rank = 1, self.size - 1 do
    for i, fact in ipairs(facts) do
      if all[rank + 1][i] ~= all[1][i] then
        local told = #all[1][i] < 20 and (" (%s, not %s)"):format(all[rank + 1][i], all[1][i]) or ""
        self.failure = ("rank %d %s than rank 0%s"):format(rank, fact[1], told)
        return nil, self.failure, "input"
      end
    end
  end
  return true
end

--- Ends all ranks at once, with status 1, after a line on stderr. Does not return.
---@param message string
function Ranks:abort(message)
  io.stderr:write(("ym2612ml: rank %d: %s\n"):format(self.rank, message))
  io.stderr:flush()
  self.core:abort(1)
end

-- Waits until all ranks leave; one with a failure not for ever.
local function meet(self, failure)
  local began = core.clock()
  repeat
    local met, message, kind = self.core:meet(WAIT, true)
    if met == nil then
      return nil, message, kind
    elseif not met and failure and core.clock() - began > PATIENCE then
      self:abort(failure)
    end
  until met
  return true
end

--- Leaves the others: waits until all ranks do, and stops MPI. A rank that leaves with a
--- failure waits a few seconds, and then ends them.
---@param failure? string  that not all ranks were told of
---@param tell? fun(message: string)  called on rank 0 with the failures of the others, before
---  any of them ends
---@return true? done
---@return string? message
---@return string? kind  "io"
function Ranks:close(failure, tell)
  self.closed = true
  local all, met, message, kind
  met, message, kind = meet(self, failure)
  if met then
    all, message, kind = self.core:gather(failure or "", true)
  end
  for rank = 1, all and tell and self.rank == 0 and self.size - 1 or 0 do
    if all[rank + 1] ~= "" and all[rank + 1] ~= failure then
      tell(("rank %d: %s"):format(rank, all[rank + 1]))
    end
  end
  if all then
    met, message, kind = meet(self)
  end
  if all and met then
    return self.core:stop()
  end
  return nil, message, kind
end

-- Also when an error ends the block, which the others do not know of.
function Ranks:__close(problem)
  if not self.closed then
    local told = type(problem) == "table" and problem.message or problem
    self:close(told ~= nil and tostring(told) or nil)
  end
end

function Ranks:__tostring()
  return ("rank %d of %d"):format(self.rank, self.size)
end

return M
