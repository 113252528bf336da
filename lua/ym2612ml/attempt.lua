-- Calls whose errors say something about what they were given. Memory that ran out does not,
-- and must not be told as damage of a file: it is raised on.
local function pass_on(fine, ...)
  local problem = not fine and ...
  if type(problem) == "string" and problem:find("not enough memory$") then
    error(problem, 0)
  end
  return fine, ...
end

--- Calls a function as `pcall` does, but raises when there was not enough memory.
---@param call function
---@param ... any  its arguments
---@return boolean fine
---@return any ...  what it returned, or the error
return function(call, ...)
  return pass_on(pcall(call, ...))
end
