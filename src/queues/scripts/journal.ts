/**
 * Lua that keeps the lists in which job groups are found, and counts what ends.
 *
 * `groups` and `groups:<kind>:<value>` are sorted sets of job group ids by the time of their first report. `ended:m:<minute>`
 * and `ended:t:<ten minutes>` are hashes that count, per target, how tasks ended (`<target><TAB><state>`) and how long
 * after its job group's end each was published, by classes that grow by a quarter (`<target><TAB>f<class>`).
 */
export const JOURNAL = `
local MINUTES_KEPT_MS, TENS_KEPT_MS = 7500000, 90000000

-- A script is about one job group, and lists it once in each list.
local first_at, listed = nil, {}

local function list_group(prefix, group, id, list)
  first_at = first_at or redis.call('HGET', group, 'firstAt')
  if not first_at then
    first_at = string.format('%.0f', now_us() / 1000)
    redis.call('HSET', group, 'firstAt', first_at)
  end
  local key = prefix .. ':groups' .. list
  redis.call('ZADD', key, first_at, id)
  listed[list] = true
  return key
end

-- A list that grows with the names in use goes when nobody adds to it for the ledger's time.
local function list_by_name(prefix, group, id, list, retention)
  if listed[list] then return end
  local key = list_group(prefix, group, id, list)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('(%.0f', now_us() / 1000 - retention))
  redis.call('PEXPIRE', key, retention)
end

-- A job group is listed under a state while any of its tasks is in it.
local function count_state(prefix, group, id, state, by)
  if not state then return end
  local class = (state == 'planned' or is_busy(state)) and 'open' or state
  local n = redis.call('HINCRBY', group, 'n:' .. class, by)
  if n <= 0 then redis.call('ZREM', prefix .. ':groups:state:' .. class, id)
  elseif n == by then list_group(prefix, group, id, ':state:' .. class) end
end

local function count_ended(prefix, target, what, now)
  for _, span in ipairs({{'m', 60000, MINUTES_KEPT_MS}, {'t', 600000, TENS_KEPT_MS}}) do
    local key = string.format('%s:ended:%s:%.0f', prefix, span[1], math.floor(now / span[2]))
    for _, one in ipairs(what) do
      if redis.call('HINCRBY', key, target .. '\\t' .. one, 1) == 1 then redis.call('PEXPIRE', key, span[3]) end
    end
  end
end

-- What follows from a task's change of state for the lists and the figures.
local function note_change(prefix, group, before, after, task)
  local function class_of(state) return state and ((state == 'planned' or is_busy(state)) and 'open' or state) end
  if class_of(before) == class_of(after) then return end
  count_state(prefix, group, task.job_group, before, -1)
  count_state(prefix, group, task.job_group, after, 1)
  if class_of(after) == 'open' then return end
  local now, what = now_us() / 1000, {after}
  if after == 'published' then
    local took = math.max(1, now - tonumber(task.finished_at))
    redis.call('HSET', prefix .. ':held:' .. string.match(task.tracked, '^publish%.([^\\t]+)'),
      'publishedAt', string.format('%.0f', now), 'publishedGroup', task.job_group)
    -- What was replayed is late on purpose; what a person found in the table was there before they said so.
    if not task.replayed and not task.decided then what[2] = 'f' .. string.format('%.0f', math.ceil(math.log(took) / math.log(1.25))) end
  end
  count_ended(prefix, string.match(task.tracked, '^publish%.([^\\t]+)'), what, now)
end
`;
