-- Long work in steps: a function that reports as it goes becomes one that does the next
-- step at each call, and is stopped by not calling it.
local M = {}

--- Ends the work that runs in steps: the call that led here returns false, message, kind.
---@param message string
---@param kind ym2612ml.Kind
function M.fail(message, kind)
  error({ message = message, kind = kind }, 0)
end

--- Passes a value on, and ends the work for nil, message, kind.
---@generic T
---@param value T?
---@param message? string
---@param kind? ym2612ml.Kind
---@return T value
function M.must(value, message, kind)
  if value == nil then
    M.fail(message, kind)
  end
  return value
end

--- Makes the steps of a piece of work.
---@param work fun(report: fun(step: table))  what it reports are the steps
---@param failed? fun()  called once when the work ends with a failure or an error
---@return fun(): table|false|nil, string?, string? next  steps; nil at the end; or false,
---  message, kind, and nil from then on
function M.new(work, failed)
  local ended = false
  local thread = coroutine.create(function()
    work(coroutine.yield)
  end)
  return function()
    if ended then
      return nil
    end
    local fine, step = coroutine.resume(thread)
    ended = coroutine.status(thread) == "dead"
    if fine then
      return step
    end
    if failed then
      failed()
    end
    if type(step) == "table" then
      return false, step.message, step.kind
    end
    error(step, 0)
  end
end

return M
