import { SHARED } from "./shared.ts";

/**
 * Lua that keeps account of waits. What a task waits for stands in its job group's record (`wait:<field>`); when the
 * wait ends its time is added up by cause, for the task (`waited:<field>:<cause>`) and for its target.
 *
 * A task in its target's queue cannot tell what holds it up: the target can. So each target has a clock for each cause
 * (`held:<target>`), and a wait in the queue is shared out by how far these have moved meanwhile; what none of them
 * explains was a wait for a free place (`slots`).
 */
export const WAITS = `
local HOLDS = {'pause', 'gate', 'breaker', 'pace'}

local function now_ms()
  return math.floor(now_us() / 1000)
end

local function held_key(prefix, tracked)
  return prefix .. ':held:' .. string.match(tracked, '^publish%.([^\\t]+)')
end

-- How long each cause has held up the target by now, which one does, and until when it surely does.
local function held_so_far(key, now)
  local h = redis.call('HMGET', key, 'cause', 'since', 'till', unpack(HOLDS))
  local sums = {}
  for i, cause in ipairs(HOLDS) do sums[cause] = tonumber(h[i + 3] or 0) end
  if not h[1] or h[1] == '' then return sums, nil, 0 end
  local till = tonumber(h[3])
  sums[h[1]] = sums[h[1]] + math.max(0, math.min(till, now) - tonumber(h[2]))
  return sums, h[1], till
end

-- From now until then the target is held up by this cause; an empty one: by nothing.
local function hold_target(key, now, cause, till)
  local sums, current, current_till = held_so_far(key, now)
  -- Whatever the tasks that run find out, a paused target is paused until somebody resumes it.
  if current == 'pause' and cause ~= 'pause' then return end
  if cause ~= '' and cause == current and current_till >= now then
    if till > current_till then redis.call('HSET', key, 'till', string.format('%.0f', till)) end
    return
  end
  if cause == '' and (not current or current_till <= now) then return end
  local set = {'cause', cause, 'since', string.format('%.0f', now), 'till', string.format('%.0f', till)}
  for _, one in ipairs(HOLDS) do
    set[#set + 1] = one
    set[#set + 1] = string.format('%.0f', sums[one])
  end
  redis.call('HSET', key, unpack(set))
end

local function note_pause(key, now, paused)
  local sums, current = held_so_far(key, now)
  if paused then return hold_target(key, now, 'pause', 9e15) end
  if current ~= 'pause' then return end
  redis.call('HSET', key, 'cause', '', 'since', string.format('%.0f', now), 'till', '0', 'pause', string.format('%.0f', sums.pause))
end

local function wait_text(key, now, cause, words)
  local text = string.format('%s %.0f ', cause, now)
  if cause == 'queue' then
    local sums = held_so_far(key, now)
    return text .. string.format('%.0f %.0f %.0f %.0f', sums.pause, sums.gate, sums.breaker, sums.pace)
  end
  return text .. (words or '')
end

local function begin_wait(group, field, key, now, cause, words)
  redis.call('HSET', group, 'wait:' .. field, wait_text(key, now, cause, words))
end

local function add_wait(group, field, key, cause, ms)
  if ms <= 0 then return end
  redis.call('HINCRBY', group, 'waited:' .. field .. ':' .. cause, string.format('%.0f', ms))
  redis.call('HINCRBY', key, 'waited:' .. cause, string.format('%.0f', ms))
end

local function end_wait(group, field, key, now)
  local text = redis.call('HGET', group, 'wait:' .. field)
  if not text then return end
  redis.call('HDEL', group, 'wait:' .. field)
  local cause, since, rest = string.match(text, '^(%a+) (%d+) (.*)$')
  local left = math.max(0, now - tonumber(since))
  if cause ~= 'queue' then return add_wait(group, field, key, cause, left) end
  local sums, i = held_so_far(key, now), 1
  for before in string.gmatch(rest, '%d+') do
    local share = math.max(0, math.min(left, sums[HOLDS[i]] - tonumber(before)))
    add_wait(group, field, key, HOLDS[i], share)
    left, i = left - share, i + 1
  end
  add_wait(group, field, key, 'slots', left)
end

-- The same wait goes on, or another one begins.
local function wait_for(group, field, key, now, cause, words)
  local text = redis.call('HGET', group, 'wait:' .. field)
  if text and string.match(text, '^(%a+) ') == cause then return end
  if text then end_wait(group, field, key, now) end
  begin_wait(group, field, key, now, cause, words)
end
`;

/**
 * Notes whether a target is paused, as its queue says: several processes and pages look, each at its own time.
 *
 * KEYS: held, the queue's meta.
 */
export const NOTE_PAUSE = `${SHARED}${WAITS}
note_pause(KEYS[1], now_ms(), redis.call('HEXISTS', KEYS[2], 'paused') == 1)
return 1
`;
