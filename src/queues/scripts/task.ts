import { LAST_OF_RULES } from "../../rules/lane.ts";
import { JOURNAL } from "./journal.ts";
import { LANDING } from "./landing.ts";
import { SHARED } from "./shared.ts";
import { WAITS } from "./waits.ts";

/** So many starts of a target are remembered, for so long, whatever its limit is now. */
const STARTS_KEPT = 1_000;
const STARTS_KEPT_MS = 3_600_000;

/** Whoever is held up asks again within so long: until then the cause is taken to go on. */
const ASKS_AGAIN_MS = 2_000;

/** A task that waits for the pace asks again within a second: it is believed to wait for so long. */
const LIVE_MS = 1_500;
/** A replayed task that gives way to it asks again so often. */
const GIVES_WAY_MS = 500;
/** BullMQ orders by priority x 2^32: below this stand the tasks that were not replayed. */
const REPLAYS_FROM = (LAST_OF_RULES + 1) * 2 ** 32;

/** A probe of a target's breaker keeps the others waiting no longer than this, in microseconds: it may be stuck. */
const PROBE_US = 300_000_000;

/**
 * Takes a task over: from now on only this run may write. Returns what stands in the record, and whether the run
 * before ended without letting go (a crash, or a lost lock). The replication id names this life of Redis: it is
 * another one after every restart and failover.
 *
 * KEYS: group, lock. ARGV: field, token. Answers: lost | missing | ok json crashed nowUs replicationId.
 */
export const CLAIM = `${SHARED}
local field, token = ARGV[1], ARGV[2]
if redis.call('GET', KEYS[2]) ~= token then return {'lost'} end
local record = redis.call('HMGET', KEYS[1], field, 'holder:' .. field)
local json, before = record[1], record[2]
if not json then return {'missing'} end
redis.call('HSET', KEYS[1], 'holder:' .. field, token)
local crashed = (before and before ~= '' and before ~= token) and '1' or '0'
local info = redis.pcall('INFO', 'replication')
local life = type(info) == 'string' and string.match(info, 'master_replid:(%w+)') or ''
return {'ok', json, crashed, tostring(now_us()), life}
`;

/**
 * May this task start now? All or nothing: the job group is free, it is the table's turn, the gate and the
 * target's breaker are open, and the pace allows a start within the lead, which is then taken.
 *
 * KEYS: group, lock, waiters, table, newest, pace, gate, breaker.
 * ARGV: field, token, waiter, prefix, admittedJson, serialize, ordered, supersede, finishedAt, jobGroupId,
 *   paceMax, pacePerUs, toleranceUs, leadUs, tracked, replayed.
 * Answers: go startInUs failuresInARow | lost | state s | superseded by '' wake | group field | table head wake | gate ms words wake |
 *   breaker ms words wake | pace ms words wake | behind '' '' wake. Whoever waits for a group or a table, or stands behind
 *   others of its queue, lets go of the task.
 *
 * A replayed task gives way to the others: to all that are open in its table, to those in its queue, for which it may take
 * a place among the concurrent publishes, and to those that wait for the pace.
 */
export const ADMIT = `${SHARED}${WAITS}
-- The first open task of a table that is not this one. One whose record has ended or is gone holds up nobody.
local function older_open_task(table_key, prefix, own)
  while true do
    local head = redis.call('ZRANGE', table_key, 0, 0)[1]
    if not head or head == own then return nil end
    local job_group, field = string.match(head, '^[^\\t]+\\t[^\\t]+\\t([^\\t]+)\\t(.+)$')
    local state = state_of(redis.call('HGET', prefix .. ':group:' .. job_group, field))
    if state == 'planned' or is_busy(state) then return head end
    redis.call('ZREM', table_key, head)
  end
end

local group, waiters, table_key, newest, pace = KEYS[1], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local field, token, waiter, prefix = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local serialize, ordered, supersede = ARGV[6] == '1', ARGV[7] == '1', ARGV[8] == '1'
local finished_at, job_group = tonumber(ARGV[9]), tonumber(ARGV[10])
local replayed = ARGV[16] == '1'
local max, per = tonumber(ARGV[11]), tonumber(ARGV[12])
local tolerance, lead, tracked = tonumber(ARGV[13]), tonumber(ARGV[14]), ARGV[15]
local held_by = held_key(prefix, tracked)

local json = held_record(group, field, KEYS[2], token)
if not json then return {'lost'} end
local state = state_of(json)
if state ~= 'planned' and state ~= 'admitted' then return {'state', state or ''} end

redis.call('ZREM', waiters, waiter)
if supersede then
  local n = redis.call('HMGET', newest, 'finishedAt', 'jobGroupId')
  if n[1] then
    local at, id = tonumber(n[1]), tonumber(n[2])
    if at > finished_at or (at == finished_at and id > job_group) then return {'superseded', n[2], '', pop_waiter(waiters, prefix) or ''} end
  end
end

local busy = busy_sibling(group, field)
if serialize and busy then
  redis.call('ZADD', waiters, now_us(), waiter)
  redis.call('HSET', group, 'holder:' .. field, '')
  wait_for(group, field, held_by, now_ms(), 'group', busy)
  return {'group', busy}
end

-- The job group is free, but this task cannot use it now: whoever waits next may.
local function held(answer, ms, words)
  local at = now_ms()
  if answer == 'table' then
    wait_for(group, field, held_by, at, 'table', words)
  else
    wait_for(group, field, held_by, at, 'queue')
    hold_target(held_by, at, answer, at + ms + ${ASKS_AGAIN_MS})
  end
  return {answer, ms, words or '', pop_waiter(waiters, prefix) or ''}
end

if ordered then
  local other = older_open_task(table_key, prefix, tracked)
    or (replayed and older_open_task(table_key .. ':replays', prefix, tracked))
    or busy_in_table(table_key, prefix, tracked)
  if other then
    redis.call('HSET', group, 'holder:' .. field, '')
    return held('table', 0, other)
  end
end

if replayed then
  local queue = prefix .. ':' .. string.match(waiter, '^([^\\t]+)')
  if redis.call('LLEN', queue .. ':wait') > 0
    or redis.call('ZCOUNT', queue .. ':prioritized', '-inf', '(${REPLAYS_FROM}') > 0 then
    redis.call('HSET', group, 'holder:' .. field, '')
    wait_for(group, field, held_by, now_ms(), 'queue')
    return {'behind', '', '', pop_waiter(waiters, prefix) or ''}
  end
end

local gate_ms = redis.call('PTTL', KEYS[7])
if gate_ms > 0 then return held('gate', gate_ms, redis.call('GET', KEYS[7])) end

local now = now_us()
local breaker = redis.call('HMGET', KEYS[8], 'failures', 'openUntil', 'probeGroup', 'probeField', 'probeAt')
if breaker[2] then
  local open_us = tonumber(breaker[2]) - now
  if open_us > 0 then return held('breaker', math.ceil(open_us / 1000)) end
  -- Half open: one publish tries; the others wait until it has ended. After one that takes very long the next may try.
  local probing = breaker[3] and now - tonumber(breaker[5] or 0) < ${PROBE_US}
    and is_busy(state_of(redis.call('HGET', breaker[3], breaker[4])))
  if probing then
    return held('breaker', 2000, 'job group ' .. string.match(breaker[3], '%d+$') .. ' probes whether it can be closed')
  end
end

-- The list holds the times at which starts were due, not when they came: one that is late by less than the
-- tolerance does not delay the next.
local start_in, live = 0, pace .. ':live'
if max > 0 then
  if replayed then
    redis.call('ZREMRANGEBYSCORE', live, '-inf', now_ms())
    if redis.call('ZCARD', live) > 0 then return held('pace', ${GIVES_WAY_MS}, 'tasks that were not replayed come first') end
  end
  local oldest = redis.call('LINDEX', pace, max - 1)
  local due = math.max(now - tolerance, oldest and tonumber(oldest) + per or 0)
  start_in = math.max(0, due - now)
  if start_in > lead then
    if not replayed then
      redis.call('ZADD', live, now_ms() + ${LIVE_MS}, tracked)
      redis.call('PEXPIRE', live, ${LIVE_MS})
    end
    return held('pace', math.ceil((start_in - lead) / 1000))
  end
  redis.call('ZREM', live, tracked)
  redis.call('LPUSH', pace, string.format('%.0f', due))
  -- More than this limit needs is kept: the next rules file may look further back.
  redis.call('LTRIM', pace, 0, math.max(max, ${STARTS_KEPT}) - 1)
  redis.call('PEXPIRE', pace, math.max(math.ceil(per / 1000), ${STARTS_KEPT_MS}) + 60000)
end
if breaker[2] then redis.call('HSET', KEYS[8], 'probeGroup', group, 'probeField', field, 'probeAt', string.format('%.0f', now)) end
if busy then redis.call('HSET', group, field, ARGV[5])
else redis.call('HSET', group, field, ARGV[5], 'busy', field, 'busyLock', KEYS[2]) end
if ordered then redis.call('SET', table_key .. ':busy', tracked) end
local at = now_ms()
end_wait(group, field, held_by, at)
-- Those that stand behind wait for the next start, or for nothing but a free place.
hold_target(held_by, at, max > 0 and 'pace' or '', max > 0 and at + math.ceil((start_in + per / max) / 1000) or at)
return {'go', string.format('%.0f', start_in), breaker[1] or '0'}
`;

/**
 * Asked by a task that has just gone to sleep: may it go on already? If the job group is still taken, it stands among
 * the waiters again, for a wake-up that came before it slept has taken it from there.
 *
 * KEYS: group, waiters, table. ARGV: field, waiter, tracked, serialize, ordered, prefix, replayed. Answers 1 or 0.
 */
export const LOOK_AGAIN = `${SHARED}
if ARGV[4] == '1' and busy_sibling(KEYS[1], ARGV[1]) then
  redis.call('ZADD', KEYS[2], 'NX', now_us(), ARGV[2])
  return 0
end
if ARGV[5] ~= '1' then return 1 end
local head = ARGV[7] == '1' and next_of_table(KEYS[3]) or redis.call('ZRANGE', KEYS[3], 0, 0)[1]
if head and head ~= ARGV[3] then return 0 end
return busy_in_table(KEYS[3], ARGV[6], ARGV[3]) and 0 or 1
`;

/**
 * Writes a task's next state, if the run still holds it and the state is one that may come before.
 *
 * KEYS: group, waiters, table, newest, open, lock. ARGV: field, json, token, from (comma-separated), letGo, what it waits for if it is planned again, landing...
 * Answers: ok wakeGroup wakeTable | lost | state s.
 */
export const WRITE = `${SHARED}${WAITS}${JOURNAL}${LANDING}
local field, json, token, let_go = ARGV[1], ARGV[2], ARGV[3], ARGV[5] == '1'
local current = held_record(keys.group, field, KEYS[6], token)
if not current then
  -- The same write was done before and its reply was lost: the run let go of the task with it.
  if let_go and redis.call('HGET', keys.group, field) == json and redis.call('GET', KEYS[6]) == token then
    return {'ok', '', ''}
  end
  return {'lost'}
end
local before, after = state_of(current), state_of(json)
if before ~= after and not string.find(',' .. ARGV[4] .. ',', ',' .. (before or '') .. ',', 1, true) then
  return {'state', before or ''}
end
if let_go then redis.call('HSET', keys.group, field, json, 'holder:' .. field, '')
else redis.call('HSET', keys.group, field, json) end
local task = task_from(7)
note_wait(keys.group, field, before, after, task, ARGV[6])
note_change(task.prefix, keys.group, before, after, task)
local wake_group, wake_table = land(keys, field, before, after, task)
return {'ok', wake_group, wake_table}
`;

/**
 * Writes a task's next state for a person's decision: only if the record still reads as it was shown to them, and
 * whoever held the task holds it no longer.
 *
 * KEYS: group, waiters, table, newest, open. ARGV: field, json, shownJson, landing... Answers: ok ... | changed.
 */
export const DECIDE = `${SHARED}${WAITS}${JOURNAL}${LANDING}
local field, json = ARGV[1], ARGV[2]
local current = redis.call('HGET', keys.group, field)
if current ~= ARGV[3] then return {'changed'} end
redis.call('HSET', keys.group, field, json, 'holder:' .. field, '')
local before, after, task = state_of(current), state_of(json), task_from(4)
task.decided = true
note_wait(keys.group, field, before, after, task, 'queue')
note_change(task.prefix, keys.group, before, after, task)
local wake_group, wake_table = land(keys, field, before, after, task)
return {'ok', wake_group, wake_table}
`;
