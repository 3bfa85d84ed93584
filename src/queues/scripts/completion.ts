import { JOURNAL } from "./journal.ts";
import { SHARED } from "./shared.ts";
import { WAITS } from "./waits.ts";

/** All reports of a job group together may bring so many labels; what comes beyond is left out. */
const LABELS_MAX = 500;

/**
 * Merges one report into the job group's completion. Several reports are one completion: `new` for the first,
 * `changed` when labels are new, `reopened` when the completion had ended without tasks, else `same`. Each report is
 * remembered: the first and the newest of them.
 *
 * A delivery that is remembered opens nothing again: it is the same report once more.
 *
 * KEYS: group, unhandled, the completion's job. ARGV: jobGroupId, labelsJson, source, reportJson, keep, delivery or '', prefix.
 * Answers: what became of it, rev, and 1 if it is the first and yet a job of the completion's id stood already.
 */
export const REPORT = `${SHARED}${JOURNAL}
local function was_delivered(group, n, keep, delivery)
  if delivery == '' then return false end
  for i = 1, n - 1 do
    local report = (i == 1 or i > n - keep + 1) and redis.call('HGET', group, 'report:' .. i) or nil
    if report and cjson.decode(report).delivery == delivery then return true end
  end
  return false
end

local group, keep = KEYS[1], tonumber(ARGV[5])
local at = string.format('%.0f', now_us() / 1000)
local n = redis.call('HINCRBY', group, 'reports', 1)
redis.call('HSET', group, 'report:' .. n, '{"at":' .. at .. ',' .. string.sub(ARGV[4], 2))
if n > keep then redis.call('HDEL', group, 'report:' .. (n - keep + 1)) end
local known = redis.call('HMGET', group, 'rev', 'labels', 'outcome')
local answer, rev, stood = nil, '1', 0
if not known[1] then
  answer = 'new'
  stood = redis.call('EXISTS', KEYS[3])
  redis.call('HSET', group, 'v', '1', 'rev', '1', 'labels', ARGV[2], 'source', ARGV[3],
    'reportedAt', at, 'firstAt', at)
  first_at = at
  list_group(ARGV[7], group, ARGV[1], '')
else
  local labels, changed = cjson.decode(known[2]), false
  local names = 0
  for _ in pairs(labels) do names = names + 1 end
  for name, value in pairs(cjson.decode(ARGV[2])) do
    if labels[name] == nil then names = names + 1 end
    if labels[name] ~= value and (labels[name] ~= nil or names <= ${LABELS_MAX}) then
      labels[name] = value
      changed = true
    end
  end
  local reopened = known[3] and known[3] ~= 'dispatched' and not was_delivered(group, n, keep, ARGV[6])
  if not changed and not reopened then return {'same', known[1], 0} end
  answer = changed and 'changed' or 'reopened'
  rev = tostring(tonumber(known[1]) + 1)
  redis.call('HSET', group, 'rev', rev, 'labels', cjson.encode(labels))
  redis.call('HDEL', group, 'outcome', 'words')
  if known[3] then redis.call('ZREM', ARGV[7] .. ':groups:completion:' .. known[3], ARGV[1]) end
  redis.call('HSET', group, 'reportedAt', at)
end
list_group(ARGV[7], group, ARGV[1], ':completion:reported')
redis.call('ZADD', KEYS[2], now_us(), ARGV[1])
return {answer, rev, stood}
`;

/**
 * Ends a completion, unless a report came while it was dispatched.
 *
 * KEYS: group, unhandled. ARGV: jobGroupId, rev, outcome, words, retentionMs, prefix. Answers 1, or 0: dispatch again.
 */
export const CONCLUDE = `${SHARED}${JOURNAL}
if redis.call('HGET', KEYS[1], 'rev') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'outcome', ARGV[3], 'words', ARGV[4])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', ARGV[6] .. ':groups:completion:reported', ARGV[1])
-- What became of the tasks of one that was dispatched, they tell.
if ARGV[3] ~= 'dispatched' then list_group(ARGV[6], KEYS[1], ARGV[1], ':completion:' .. ARGV[3]) end
if not redis.call('HGET', KEYS[1], 'planned') then redis.call('PEXPIRE', KEYS[1], ARGV[5]) end
return 1
`;

/**
 * Writes the plan of each publish task that the record does not hold yet; nothing at all when a target is not
 * registered. A target is struck off only while none of its tasks is open, and both are one step each: so no task is
 * ever planned for a queue that nobody runs.
 *
 * KEYS: group, open, waiters, targets. ARGV: finishedAt, jobGroupId, prefix, retentionMs, then per task: field, json, planJson,
 *   tracked, tableKey or '', waiter or '' (when it is to stand among those who wait for the job group), target or '' (when
 *   it may be unknown), rule, table's name.
 * Answers 0 (a target is not registered), or per task: '' when it is new, else what stands in the record.
 */
export const PLAN = `${SHARED}${WAITS}${JOURNAL}
local group, answer, new = KEYS[1], {}, 0
local id, prefix, retention = ARGV[2], ARGV[3], tonumber(ARGV[4])
for i = 5, #ARGV, 9 do
  if ARGV[i + 6] ~= '' and redis.call('HEXISTS', KEYS[4], ARGV[i + 6]) == 0 then return 0 end
end
-- The one that the others of the job group wait for.
local first
for i = 5, #ARGV, 9 do
  if ARGV[i + 5] == '' and not first then first = ARGV[i] end
end
for i = 5, #ARGV, 9 do
  local field = ARGV[i]
  local standing = redis.call('HGET', group, field)
  if not standing then
    new = new + 1
    local tracked = ARGV[i + 3]
    redis.call('HSET', group, field, ARGV[i + 1], 'plan:' .. field, ARGV[i + 2], 'planned', '1', 'wait:' .. field,
      wait_text(held_key(prefix, tracked), now_ms(), ARGV[i + 5] == '' and 'queue' or 'group', first))
    redis.call('ZADD', KEYS[2], now_us(), tracked)
    if ARGV[i + 4] ~= '' then redis.call('ZADD', ARGV[i + 4], ARGV[1], tracked) end
    -- They are woken in the order of the rules.
    if ARGV[i + 5] ~= '' then redis.call('ZADD', KEYS[3], now_us() + new, ARGV[i + 5]) end
    list_by_name(prefix, group, id, ':target:' .. string.match(tracked, '^publish%.([^\\t]+)'), retention)
    list_by_name(prefix, group, id, ':rule:' .. ARGV[i + 7], retention)
    list_by_name(prefix, group, id, ':table:' .. ARGV[i + 8], retention)
  end
  answer[#answer + 1] = standing or ''
end
if new > 0 then
  redis.call('HINCRBY', group, 'left', new)
  redis.call('PERSIST', group)
  count_state(prefix, group, id, 'planned', new)
  list_group(prefix, group, id, '')
end
return answer
`;

/**
 * Remembers that the webhook of a completion was counted as lost. A record that is gone is not made again.
 *
 * KEYS: group.
 */
export const COUNT_LOSS = `
if redis.call('HEXISTS', KEYS[1], 'rev') == 1 then redis.call('HSET', KEYS[1], 'webhookLost', '1') end
`;

/**
 * Replaces the notes of a completion. A record that is gone is not made again.
 *
 * KEYS: group. ARGV: notesJson.
 */
export const NOTE = `
if redis.call('HEXISTS', KEYS[1], 'rev') == 1 then redis.call('HSET', KEYS[1], 'notes', ARGV[1]) end
`;
