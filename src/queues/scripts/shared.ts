/**
 * Lua that several scripts share. A record's field holds JSON that begins with its version and state, so a
 * pattern reads the state without decoding the rest.
 */
export const SHARED = `
local function state_of(json)
  return json and string.match(json, '^{"v":%d+,"state":"([%a-]+)"') or nil
end

local function is_busy(state)
  return state == 'admitted' or state == 'submitting' or state == 'submitted'
end

-- A script is one moment: the clock is asked once.
local asked_us
local function now_us()
  if not asked_us then
    local t = redis.call('TIME')
    asked_us = tonumber(t[1]) * 1000000 + tonumber(t[2])
  end
  return asked_us
end

-- A task that is not at its end: it may still need its job group's record.
local function is_open(state)
  return state == 'planned' or state == 'parked' or is_busy(state)
end

-- Does a task in this state keep others from starting? One that was admitted has sent nothing: when its run is
-- dead, which its job's lock tells, it keeps nobody.
local function keeps_others(state, lock)
  if state == 'admitted' then return redis.call('EXISTS', lock) == 1 end
  return is_busy(state)
end

-- The field of the task that has the job group, if it is another one. The record's field 'busy' names it.
local function busy_sibling(group, own)
  local busy = redis.call('HMGET', group, 'busy', 'busyLock')
  if not busy[1] or busy[1] == own then return nil end
  if keeps_others(state_of(redis.call('HGET', group, busy[1])), busy[2] or '') then return busy[1] end
  redis.call('HDEL', group, 'busy', 'busyLock')
  return nil
end

-- The task that is publishing into a table, if it is another one.
local function busy_in_table(table_key, prefix, own)
  local busy = redis.call('GET', table_key .. ':busy')
  if not busy or busy == own then return nil end
  local queue, id, job_group, field = string.match(busy, '^([^\\t]+)\\t([^\\t]+)\\t([^\\t]+)\\t(.+)$')
  local state = state_of(redis.call('HGET', prefix .. ':group:' .. job_group, field))
  if keeps_others(state, prefix .. ':' .. queue .. ':' .. id .. ':lock') then return busy end
  redis.call('DEL', table_key .. ':busy')
  return nil
end

-- The next task to wake of those that wait for a job group: the first whose queue is neither paused nor held
-- back, else the first. A waiter reads 'queue<TAB>jobId'.
local function pop_waiter(waiters, prefix)
  local list = redis.call('ZRANGE', waiters, 0, -1)
  if #list == 0 then return nil end
  local chosen = list[1]
  for _, waiter in ipairs(list) do
    local queue = string.match(waiter, '^([^\\t]+)')
    local base = prefix .. ':' .. queue
    if redis.call('HEXISTS', base .. ':meta', 'paused') == 0 and redis.call('PTTL', base .. ':limiter') <= 1000 then
      chosen = waiter
      break
    end
  end
  redis.call('ZREM', waiters, chosen)
  return chosen
end

-- Whose turn it is in a table: replayed tasks have a list of their own, and stand behind all others.
local function next_of_table(table_key)
  return redis.call('ZRANGE', table_key, 0, 0)[1] or redis.call('ZRANGE', table_key .. ':replays', 0, 0)[1]
end

-- What follows from a task's new state: an end frees its table and starts the ledger's retention; leaving a busy
-- state frees the job group; opening an ended task again lists it as open. Returns whom to wake: group, table.
local function land(keys, field, before, after, task)
  local group, waiters, table_key, newest, open = keys.group, keys.waiters, keys.table, keys.newest, keys.open
  local was_ended = not is_busy(before) and before ~= 'planned'
  local ended = not is_busy(after) and after ~= 'planned'
  local wake_table, wake_group = '', ''
  if was_ended and not ended then
    redis.call('ZADD', open, now_us(), task.tracked)
    if task.ordered then
      redis.call('ZADD', table_key .. (task.replayed and ':replays' or ''), task.finished_at, task.tracked)
    end
  end
  if ended then
    if after ~= 'parked' then redis.call('ZREM', open, task.tracked) end
    if task.ordered then
      redis.call('ZREM', table_key, task.tracked)
      redis.call('ZREM', table_key .. ':replays', task.tracked)
      wake_table = next_of_table(table_key) or ''
    end
    if task.ordered and after == 'published' then
      local n = redis.call('HMGET', newest, 'finishedAt', 'jobGroupId')
      local at, id = tonumber(n[1] or '-1'), tonumber(n[2] or '-1')
      local mine, my_id = tonumber(task.finished_at), tonumber(task.job_group)
      if mine > at or (mine == at and my_id > id) then
        redis.call('HSET', newest, 'finishedAt', task.finished_at, 'jobGroupId', task.job_group)
        redis.call('PEXPIRE', newest, task.retention)
      end
    end
  end
  -- The ledger is kept for its retention after the last task ended; a parked task keeps it for ever.
  if is_open(before) and not is_open(after) then
    local left = redis.call('HINCRBY', group, 'left', -1)
    if left <= 0 then redis.call('PEXPIRE', group, task.retention) end
  elseif is_open(after) and not is_open(before) then
    redis.call('HINCRBY', group, 'left', 1)
    redis.call('PERSIST', group)
  end
  if task.ordered and is_busy(before) and not is_busy(after) then
    if redis.call('GET', table_key .. ':busy') == task.tracked then redis.call('DEL', table_key .. ':busy') end
    local head = next_of_table(table_key)
    if head and head ~= task.tracked then wake_table = head end
  end
  if is_busy(before) and not is_busy(after) and not busy_sibling(group, field) then
    redis.call('HDEL', group, 'busy', 'busyLock')
    wake_group = pop_waiter(waiters, task.prefix) or ''
  end
  return wake_group, wake_table
end

-- What stands in the record, if this run may write there: it holds BullMQ's lock and is the newest that claimed the task.
local function held_record(group, field, lock, token)
  if redis.call('GET', lock) ~= token then return nil end
  local record = redis.call('HMGET', group, field, 'holder:' .. field)
  return record[2] == token and record[1] or nil
end
`;
